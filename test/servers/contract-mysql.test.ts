import { makeMysqlPair } from '../contract/mysql-pair.ts';
import { describeContract } from '../contract/suite.ts';
import { describeMysql } from './harness/mysql-suite.ts';

await describeMysql('a %s source and replica', (flavor) =>
  describeContract(flavor, { kind: 'logical', rowVersions: false }, () => makeMysqlPair(flavor)),
);

import { makeMysqlPair } from '../contract/mysql-pair.ts';
import { describeContract } from '../contract/suite.ts';

const TRAITS = { kind: 'logical', rowVersions: false } as const;

describeContract('MariaDB, a replica', TRAITS, () => makeMysqlPair('mariadb'));
describeContract('MySQL, a replica', TRAITS, () => makeMysqlPair('mysql'));

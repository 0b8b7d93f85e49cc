import { makePostgresPair } from '../contract/postgres-pair.ts';
import { describeContract } from '../contract/suite.ts';

describeContract('PostgreSQL 17, a standby', { kind: 'physical', rowVersions: true }, () =>
  makePostgresPair('physical'),
);
describeContract('PostgreSQL 17, a subscriber', { kind: 'logical', rowVersions: true }, () =>
  makePostgresPair('logical'),
);

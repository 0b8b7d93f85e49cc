import { makePostgresPair } from '../contract/postgres-pair.ts';
import { describeContract } from '../contract/suite.ts';

describeContract('PostgreSQL 17, a standby', () => makePostgresPair('physical'));
describeContract('PostgreSQL 17, a subscriber', () => makePostgresPair('logical'));

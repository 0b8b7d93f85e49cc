import { describeContract } from '../contract/suite.ts';
import { makeMemoryPair } from '../contract/memory-pair.ts';

describeContract('memory, physical', { kind: 'physical', rowVersions: true }, () =>
  Promise.resolve(makeMemoryPair('physical')),
);
describeContract('memory, logical', { kind: 'logical', rowVersions: true }, () =>
  Promise.resolve(makeMemoryPair('logical')),
);

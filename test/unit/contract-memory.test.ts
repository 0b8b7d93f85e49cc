import { describeContract } from '../contract/suite.ts';
import { makeMemoryPair } from '../contract/memory-pair.ts';

describeContract('memory, physical', () => Promise.resolve(makeMemoryPair('physical')));
describeContract('memory, logical', () => Promise.resolve(makeMemoryPair('logical')));

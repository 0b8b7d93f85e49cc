import { describe, expect, test } from 'vitest';
import { ofCoordinators } from '../../connectors/kafka/coordinator.ts';

/** As kafkajs has them: named by a field. */
function refusal(type: string): Error {
  return Object.assign(new Error(type), { type });
}

describe('what coordinators of groups are asked', () => {
  test('is asked again while a broker still reads its groups', async () => {
    const answers = [refusal('GROUP_LOAD_IN_PROGRESS'), refusal('GROUP_COORDINATOR_NOT_AVAILABLE')];
    const ask = (): Promise<string> => {
      const error = answers.shift();
      return error === undefined ? Promise.resolve('groups') : Promise.reject(error);
    };
    let pauses = 0;
    const pause = (): Promise<void> => {
      pauses += 1;
      return Promise.resolve();
    };
    await expect(ofCoordinators(ask, new AbortController().signal, pause)).resolves.toBe('groups');
    expect(pauses).toBe(2);
  });

  test('is not asked again when it is refused', async () => {
    let asked = 0;
    const ask = (): Promise<never> => {
      asked += 1;
      return Promise.reject(refusal('GROUP_AUTHORIZATION_FAILED'));
    };
    await expect(ofCoordinators(ask, new AbortController().signal)).rejects.toThrow(
      'GROUP_AUTHORIZATION_FAILED',
    );
    expect(asked).toBe(1);
  });

  test('is given up with the run', async () => {
    const stop = new AbortController();
    const ask = (): Promise<never> => {
      stop.abort(new Error('the run ended'));
      return Promise.reject(refusal('GROUP_LOAD_IN_PROGRESS'));
    };
    await expect(ofCoordinators(ask, stop.signal)).rejects.toThrow('aborted');
  });
});

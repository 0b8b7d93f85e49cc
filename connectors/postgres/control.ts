import { ControlSession } from '../../src/connector/control-session.ts';
import type { ConnectTarget } from './address.ts';
import { openSession, type Session } from './session.ts';

export function controlSession(target: ConnectTarget, statementTimeoutMs: number): ControlSession<Session> {
  return new ControlSession((signal) =>
    openSession(target, signal, { purpose: 'catalog', statementTimeoutMs }),
  );
}

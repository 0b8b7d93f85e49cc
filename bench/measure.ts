import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Measurement {
  readonly seconds: number;
  /** Processor time of the process itself; 0 where /proc is not there. */
  readonly cpuSeconds: number;
  /** Peak resident memory of the process, in MiB; null where /proc is not there. */
  readonly peakMiB: number | null;
  readonly exitCode: number;
  readonly stdout: string;
}

export interface MeasureOptions {
  /** What the program prints goes to /dev/null, as a shell's redirection has it. */
  readonly discard?: boolean;
  /** On top of ours. */
  readonly environment?: NodeJS.ProcessEnv;
}

const SAMPLE_MS = 50;
/** Unit of proc(5)'s times: USER_HZ, 100 on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Runs a program to its end and measures it as a whole process. */
export function measure(
  program: string,
  args: readonly string[],
  { discard = false, environment = {} }: MeasureOptions = {},
): Promise<Measurement> {
  return new Promise((resolve, reject) => {
    const started = process.hrtime.bigint();
    const child = spawn(program, [...args], {
      stdio: ['ignore', discard ? 'ignore' : 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    let stdout = '';
    let peakMiB: number | null = null;
    let cpuSeconds = 0;
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const sampler = setInterval(() => {
      peakMiB = peakOf(child.pid) ?? peakMiB;
      cpuSeconds = cpuOf(child.pid) ?? cpuSeconds;
    }, SAMPLE_MS);
    child.on('error', (error) => {
      clearInterval(sampler);
      reject(error);
    });
    child.on('close', (code) => {
      clearInterval(sampler);
      const seconds = Number(process.hrtime.bigint() - started) / 1e9;
      resolve({ seconds, cpuSeconds, peakMiB, exitCode: code ?? -1, stdout });
    });
  });
}

/** The high-water mark of resident memory. */
function peakOf(pid: number | undefined): number | null {
  return statusMiB(pid, 'VmHWM');
}

/**
 * Seconds in user and kernel mode of a process, or of a thread (`pid/task/tid`). Null where that cannot be known.
 */
export function cpuOf(process: number | string | undefined): number | null {
  return timesOf(process)?.own ?? null;
}

export interface ProcessTimes {
  readonly parent: number;
  /** Seconds of processor, in user and kernel mode. */
  readonly own: number;
  /** The same, of its children that have ended and were waited for. */
  readonly reaped: number;
}

/** proc(5), /proc/pid/stat, fields 4 and 14 to 17; the second may hold blanks. Null where that cannot be known. */
export function timesOf(process: number | string | undefined): ProcessTimes | null {
  const fields = procFile(process, 'stat')
    .replace(/^.*\) /, '')
    .split(' ')
    .map(Number);
  const [parent = 0] = fields.slice(1);
  const [user, system, reapedUser, reapedSystem] = fields.slice(11);
  if (user === undefined || system === undefined || reapedUser === undefined || reapedSystem === undefined) {
    return null;
  }
  const own = (user + system) / TICKS_PER_SECOND;
  return { parent, own, reaped: (reapedUser + reapedSystem) / TICKS_PER_SECOND };
}

/** Memory of this process that no file backs, in MiB; null where /proc is not there. */
export function privateMiB(): number | null {
  return statusMiB('self', 'RssAnon');
}

/** What proc(5) says of a process's memory in its file `status`, in MiB; null where that cannot be known. */
export function statusMiB(
  process: number | string | undefined,
  field: 'RssAnon' | 'VmHWM' | 'VmRSS',
): number | null {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(procFile(process, 'status'));
  return match === null ? null : Number(match[1]) / 1024;
}

function procFile(process: number | string | undefined, name: string): string {
  try {
    return readFileSync(`/proc/${process}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

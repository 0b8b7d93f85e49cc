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

/** The high-water mark of resident memory (proc(5), VmHWM). */
function peakOf(pid: number | undefined): number | null {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(procFile(pid, 'status'));
  return match === null ? null : Number(match[1]) / 1024;
}

/**
 * Seconds in user and kernel mode of a process, or of a thread (`pid/task/tid`): proc(5), /proc/pid/stat, fields 14 and
 * 15; the second may hold blanks. Null where that cannot be known.
 */
export function cpuOf(process: number | string | undefined): number | null {
  const fields = procFile(process, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
  return fields.length < 13 ? null : (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Memory of this process that no file backs, in MiB (RssAnon, proc(5)); null where /proc is not there. */
export function privateMiB(): number | null {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(procFile('self', 'status'));
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

import { durationText } from '../report/quantity.ts';
import type { Doubt } from '../state/standing.ts';
import type { VerdictWord } from '../verdict/verdict.ts';

export const LANGUAGES = ['en', 'ko'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Everything that the board says of itself. Reasons and hints come from the verdict, in English as everywhere. */
export interface Words {
  readonly language: string;
  readonly verdict: Readonly<Record<VerdictWord, { readonly word: string; readonly meaning: string }>>;
  readonly doubt: Readonly<Record<Doubt, string>>;
  readonly integrity: Readonly<Record<'same' | 'different' | 'unproven', string>>;
  readonly overview: string;
  readonly cutover: string;
  readonly skip: string;
  readonly live: string;
  readonly lost: string;
  readonly lostSince: string;
  readonly theme: string;
  readonly all: string;
  readonly filter: string;
  readonly noMatch: string;
  readonly utc: string;
  readonly tier: string;
  readonly noTier: string;
  readonly system: string;
  readonly owner: string;
  readonly candidate: string;
  readonly loss: string;
  readonly recoveryPoint: string;
  readonly proof: string;
  readonly lag: string;
  readonly verdictLabel: string;
  readonly why: string;
  readonly unknown: string;
  readonly nothing: string;
  readonly atMost: (time: string) => string;
  readonly transactions: (count: string) => string;
  readonly unbounded: string;
  readonly ago: (time: string) => string;
  /** Milliseconds, as a length of time. */
  readonly time: (ms: number) => string;
  /** What stands behind seconds, minutes, hours and days. */
  readonly units: readonly [string, string, string, string];
  readonly onceFenced: string;
  readonly onceFencedHint: string;
  readonly asOf: string;
  readonly expires: string;
  readonly mode: Readonly<Record<'switchover' | 'failover', string>>;
  readonly primary: Readonly<Record<'alive' | 'gone' | 'other' | 'unknown', string>>;
  readonly primaryLabel: string;
  readonly witnessed: string;
  readonly allProven: string;
  readonly unprovenTables: (count: string) => string;
  readonly differentRows: (count: string) => string;
  readonly dirtyRows: (count: string) => string;
  readonly differences: string;
  readonly differenceKind: Readonly<Record<'missing' | 'extra' | 'changed', string>>;
  readonly table: string;
  readonly key: string;
  readonly kind: string;
  readonly digest: string;
  readonly firstSeen: string;
  readonly reasons: Readonly<Record<'not-safe' | 'unknown' | 'loss' | 'warning' | 'note', string>>;
  readonly noReasons: string;
  readonly candidates: string;
  readonly best: string;
  readonly site: string;
  readonly faultDomain: string;
  readonly position: string;
  readonly transport: string;
  readonly apply: string;
  readonly rows: string;
  readonly readiness: string;
  readonly readyWord: Readonly<Record<'ready' | 'not-ready' | 'unknown', string>>;
  readonly blocking: (count: string) => string;
  readonly readinessRun: string;
  readonly nothingFound: string;
  readonly found: string;
  readonly notChecked: string;
  readonly severity: Readonly<Record<'block' | 'warn' | 'info', string>>;
  readonly server: string;
  readonly silence: string;
  readonly lagHistory: string;
  readonly objective: string;
  readonly coverage: string;
  readonly compared: (compared: string, tables: string) => string;
  readonly excluded: string;
  readonly notProven: string;
  readonly dependsOn: string;
  readonly neededBy: string;
  readonly group: string;
  readonly certificates: string;
  readonly noCertificates: string;
  readonly download: string;
  readonly schedules: string;
  readonly lastRun: string;
  readonly nextRun: string;
  readonly never: string;
  readonly underWay: string;
  readonly missed: (count: string) => string;
  readonly outcome: Readonly<Record<'ok' | 'warning' | 'critical' | 'unknown' | 'failed', string>>;
  readonly order: string;
  readonly orderHint: string;
  readonly waitsFor: string;
  readonly skew: string;
  readonly skewUnknown: string;
  readonly commonPoint: string;
  readonly isAhead: (consumer: string, producer: string, time: string) => string;
  readonly groupWhy: Readonly<
    Record<'members' | 'unknown-points' | 'skew-beyond-policy' | 'no-skew-policy', string>
  >;
  readonly decisions: string;
  readonly decide: string;
  readonly noDecisions: string;
  readonly noButton: string;
  readonly decision: Readonly<Record<'promote' | 'wait' | 'do-not-promote', string>>;
  readonly choice: string;
  readonly lossAccepted: string;
  readonly reason: string;
  readonly fencedAt: string;
  readonly fencedBy: string;
  readonly record: string;
  readonly approve: string;
  readonly proposedBy: string;
  readonly approvedBy: string;
  readonly awaiting: string;
  readonly decidedOn: string;
  readonly signIn: string;
  readonly signOut: string;
  readonly token: string;
  readonly tokenWrong: string;
  readonly approverNeeded: string;
  readonly decisionsOff: string;
  readonly notFound: string;
  readonly strangers: string;
  readonly objectives: string;
  readonly json: string;
}

export const EN: Words = {
  language: 'English',
  verdict: {
    SAFE: { word: 'Safe', meaning: 'It can be promoted, and nothing is lost.' },
    SAFE_WITH_LOSS: { word: 'Safe with loss', meaning: 'It can be promoted, at the loss shown.' },
    NOT_SAFE: { word: 'Not safe', meaning: 'Do not promote it.' },
    UNKNOWN: { word: 'Unknown', meaning: 'It is not proven that it can be promoted.' },
  },
  doubt: {
    absent: 'nobody watches this system',
    unreadable: 'what was published of it cannot be read',
    stale: 'the process that watches it has stopped publishing',
    ahead: 'what was published is from the future: compare the clocks',
    none: 'no verdict was reached',
    expired: 'the verdict has expired',
  },
  integrity: { same: 'rows proven equal', different: 'rows differ', unproven: 'rows not all proven' },
  overview: 'Overview',
  cutover: 'Cutover',
  skip: 'Skip to content',
  live: 'live',
  lost: 'not live',
  lostSince: 'The connection to the board is lost. What stands here is old: trust none of it.',
  theme: 'Light or dark',
  all: 'All',
  filter: 'Filter by system, owner, tier, site',
  noMatch: 'No system matches.',
  utc: 'all times UTC',
  tier: 'Tier',
  noTier: 'No tier',
  system: 'System',
  owner: 'Owner',
  candidate: 'Candidate',
  loss: 'Loss',
  recoveryPoint: 'Recovery point',
  proof: 'Proof',
  lag: 'Lag',
  verdictLabel: 'Verdict',
  why: 'Why',
  unknown: 'unknown',
  nothing: 'nothing',
  atMost: (time) => `at most ${time}`,
  transactions: (count) => `${count} ${count === '1' ? 'transaction' : 'transactions'}`,
  unbounded: 'no bound known',
  ago: (time) => `${time} ago`,
  time: durationText,
  units: [' s', ' min', ' h', ' d'],
  onceFenced: 'If the primary were lost and fenced now',
  onceFencedHint: 'An assumption, for orientation: a promotion needs the fence itself.',
  asOf: 'As of',
  expires: 'Lapses',
  mode: { switchover: 'planned switchover', failover: 'failover' },
  primary: {
    alive: 'answers',
    gone: 'does not answer',
    other: 'another server answers',
    unknown: 'not known',
  },
  primaryLabel: 'Primary',
  witnessed: 'last witnessed',
  allProven: 'every row proven',
  unprovenTables: (count) => `${count} ${count === '1' ? 'table' : 'tables'} not proven`,
  differentRows: (count) => `${count} ${count === '1' ? 'row differs' : 'rows differ'}`,
  dirtyRows: (count) => `${count} ${count === '1' ? 'row' : 'rows'} to look at`,
  differences: 'Rows that differ',
  differenceKind: {
    missing: 'missing on the candidate',
    extra: 'only on the candidate',
    changed: 'changed',
  },
  table: 'Table',
  key: 'Key',
  kind: 'Difference',
  digest: 'Digest of the primary’s row',
  firstSeen: 'First seen',
  reasons: {
    'not-safe': 'Against promotion',
    unknown: 'Short of proof',
    loss: 'Accepted by policy',
    warning: 'Warnings',
    note: 'Notes',
  },
  noReasons: 'Nothing speaks against it.',
  candidates: 'Candidates',
  best: 'the one to take',
  site: 'Site',
  faultDomain: 'Fault domain',
  position: 'Position',
  transport: 'Not received',
  apply: 'Received, not applied',
  rows: 'Rows',
  readiness: 'Readiness',
  readyWord: { ready: 'ready', 'not-ready': 'not ready', unknown: 'not known' },
  blocking: (count) => `${count} ${count === '1' ? 'check blocks' : 'checks block'}`,
  readinessRun: 'Readiness by schedule',
  nothingFound: 'Nothing was found.',
  found: 'Found',
  notChecked: 'could not be checked',
  severity: { block: 'blocks', warn: 'warning', info: 'note' },
  server: 'Server',
  silence: 'Does not answer',
  lagHistory: 'Lag over time',
  objective: 'objective',
  coverage: 'Coverage',
  compared: (compared, tables) => `${compared} of ${tables} tables compared`,
  excluded: 'Left out',
  notProven: 'Not proven',
  dependsOn: 'Depends on',
  neededBy: 'Needed by',
  group: 'Group',
  certificates: 'Certificates',
  noCertificates: 'None were issued.',
  download: 'Download',
  schedules: 'Schedules',
  lastRun: 'Last run',
  nextRun: 'Next run',
  never: 'never',
  underWay: 'under way',
  missed: (count) => `${count} missed`,
  outcome: { ok: 'well', warning: 'warning', critical: 'critical', unknown: 'unknown', failed: 'failed' },
  order: 'Order of promotion',
  orderHint: 'Each system comes after all that it depends on; groups go together.',
  waitsFor: 'Waits for',
  skew: 'Recovery points lie apart',
  skewUnknown: 'How far the recovery points lie apart is not known.',
  commonPoint: 'Newest common point',
  isAhead: (consumer, producer, time) =>
    `${consumer} stands ${time} ahead of ${producer}, on which it depends`,
  groupWhy: {
    members: 'because of its members',
    'unknown-points': 'a recovery point is not known',
    'skew-beyond-policy': 'its members lie further apart than the policy allows',
    'no-skew-policy': 'no policy says how far its members may lie apart',
  },
  decisions: 'Decisions',
  decide: 'Record a decision',
  noDecisions: 'None is recorded.',
  noButton: 'Nothing on this board promotes anything: it records what people decide.',
  decision: { promote: 'Promote', wait: 'Wait', 'do-not-promote': 'Do not promote' },
  choice: 'Decision',
  lossAccepted: 'Loss that is accepted',
  reason: 'Reason, and any departure from the runbook',
  fencedAt: 'Primary fenced at (UTC)',
  fencedBy: 'Fenced by',
  record: 'Record',
  approve: 'Approve as second person',
  proposedBy: 'Proposed by',
  approvedBy: 'Approved by',
  awaiting: 'waits for a second approver',
  decidedOn: 'What was shown',
  signIn: 'Sign in',
  signOut: 'Sign out',
  token: 'Token',
  tokenWrong: 'No one has this token.',
  approverNeeded: 'Sign in with an approver’s token to record a decision.',
  decisionsOff: 'Decisions are not recorded here: set board.decisions, board.tokens and signing.key.',
  notFound: 'There is no such page.',
  strangers: 'Watched, but not in the configuration',
  objectives: 'Objectives',
  json: 'As JSON',
};

const KO_UNITS: Readonly<Record<string, string>> = {
  ms: '밀리초',
  s: '초',
  min: '분',
  h: '시간',
  d: '일',
};

export const KO: Words = {
  language: '한국어',
  verdict: {
    SAFE: { word: '안전', meaning: '승격할 수 있으며 잃는 데이터가 없습니다.' },
    SAFE_WITH_LOSS: { word: '손실 있음', meaning: '표시된 손실을 감수하면 승격할 수 있습니다.' },
    NOT_SAFE: { word: '승격 금지', meaning: '승격하지 마십시오.' },
    UNKNOWN: { word: '알 수 없음', meaning: '승격해도 되는지 증명되지 않았습니다.' },
  },
  doubt: {
    absent: '이 시스템을 감시하는 프로세스가 없습니다',
    unreadable: '게시된 상태를 읽을 수 없습니다',
    stale: '감시 프로세스가 상태 게시를 멈췄습니다',
    ahead: '게시 시각이 미래입니다. 시계를 비교하십시오',
    none: '판정에 이르지 못했습니다',
    expired: '판정의 유효 기간이 지났습니다',
  },
  integrity: { same: '모든 행 일치 증명됨', different: '행이 다름', unproven: '일부 행 미증명' },
  overview: '전체 현황',
  cutover: '전환 순서',
  skip: '본문으로 이동',
  live: '실시간',
  lost: '연결 끊김',
  lostSince: '보드와의 연결이 끊어졌습니다. 아래 내용은 오래된 것이니 믿지 마십시오.',
  theme: '밝게 또는 어둡게',
  all: '전체',
  filter: '시스템, 담당, 등급, 센터로 찾기',
  noMatch: '해당하는 시스템이 없습니다.',
  utc: '모든 시각은 UTC',
  tier: '등급',
  noTier: '등급 없음',
  system: '시스템',
  owner: '담당',
  candidate: '후보',
  loss: '손실',
  recoveryPoint: '복구 시점',
  proof: '증명',
  lag: '지연',
  verdictLabel: '판정',
  why: '이유',
  unknown: '알 수 없음',
  nothing: '없음',
  atMost: (time) => `최대 ${time}`,
  transactions: (count) => `트랜잭션 ${count}건`,
  unbounded: '상한을 알 수 없음',
  ago: (time) => `${time} 전`,
  time: (ms) => durationText(ms).replaceAll(/ (ms|s|min|h|d)\b/g, (_, unit: string) => KO_UNITS[unit] ?? ''),
  units: ['초', '분', '시간', '일'],
  onceFenced: '지금 주 센터를 잃고 차단했다고 가정하면',
  onceFencedHint: '참고를 위한 가정입니다. 승격하려면 실제 차단이 필요합니다.',
  asOf: '기준 시각',
  expires: '만료',
  mode: { switchover: '계획 전환', failover: '장애 전환' },
  primary: { alive: '응답함', gone: '응답 없음', other: '다른 서버가 응답함', unknown: '알 수 없음' },
  primaryLabel: '주 서버',
  witnessed: '마지막 확인',
  allProven: '모든 행 증명됨',
  unprovenTables: (count) => `미증명 테이블 ${count}개`,
  differentRows: (count) => `다른 행 ${count}개`,
  dirtyRows: (count) => `확인할 행 ${count}개`,
  differences: '다른 행',
  differenceKind: { missing: '후보에 없음', extra: '후보에만 있음', changed: '내용이 다름' },
  table: '테이블',
  key: '키',
  kind: '차이',
  digest: '주 서버 행의 다이제스트',
  firstSeen: '처음 발견',
  reasons: {
    'not-safe': '승격을 막는 이유',
    unknown: '증명이 부족한 이유',
    loss: '정책이 허용한 것',
    warning: '경고',
    note: '참고',
  },
  noReasons: '승격을 막는 이유가 없습니다.',
  candidates: '후보',
  best: '선택할 후보',
  site: '센터',
  faultDomain: '장애 영역',
  position: '위치',
  transport: '미수신',
  apply: '수신 후 미적용',
  rows: '행',
  readiness: '준비 상태',
  readyWord: { ready: '준비됨', 'not-ready': '준비 안 됨', unknown: '알 수 없음' },
  blocking: (count) => `막는 점검 ${count}건`,
  readinessRun: '정기 준비 상태 점검',
  nothingFound: '발견된 문제가 없습니다.',
  found: '발견된 것',
  notChecked: '점검하지 못함',
  severity: { block: '승격을 막음', warn: '경고', info: '참고' },
  server: '서버',
  silence: '응답 없음',
  lagHistory: '지연 추이',
  objective: '목표',
  coverage: '범위',
  compared: (compared, tables) => `테이블 ${tables}개 중 ${compared}개 비교`,
  excluded: '제외',
  notProven: '증명하지 않은 것',
  dependsOn: '선행 시스템',
  neededBy: '후행 시스템',
  group: '그룹',
  certificates: '증명서',
  noCertificates: '발급된 증명서가 없습니다.',
  download: '내려받기',
  schedules: '일정',
  lastRun: '마지막 실행',
  nextRun: '다음 실행',
  never: '없음',
  underWay: '실행 중',
  missed: (count) => `놓친 실행 ${count}건`,
  outcome: { ok: '정상', warning: '경고', critical: '심각', unknown: '알 수 없음', failed: '실패' },
  order: '승격 순서',
  orderHint: '각 시스템은 의존하는 시스템 다음에 옵니다. 그룹은 함께 승격합니다.',
  waitsFor: '선행 대기',
  skew: '복구 시점 차이',
  skewUnknown: '복구 시점 차이를 알 수 없습니다.',
  commonPoint: '가장 최근의 공통 시점',
  isAhead: (consumer, producer, time) => `${consumer}이(가) 의존하는 ${producer}보다 ${time} 앞서 있습니다`,
  groupWhy: {
    members: '구성 시스템 때문',
    'unknown-points': '복구 시점을 알 수 없음',
    'skew-beyond-policy': '복구 시점 차이가 정책을 넘음',
    'no-skew-policy': '허용되는 차이가 정해져 있지 않음',
  },
  decisions: '결정 기록',
  decide: '결정 기록하기',
  noDecisions: '기록이 없습니다.',
  noButton: '이 보드는 승격을 실행하지 않습니다. 사람의 결정을 기록할 뿐입니다.',
  decision: { promote: '승격', wait: '대기', 'do-not-promote': '승격하지 않음' },
  choice: '결정',
  lossAccepted: '감수하는 손실',
  reason: '이유, 절차서와 다른 점',
  fencedAt: '주 서버 차단 시각 (UTC)',
  fencedBy: '차단한 사람',
  record: '기록',
  approve: '두 번째 승인',
  proposedBy: '제안',
  approvedBy: '승인',
  awaiting: '두 번째 승인자를 기다림',
  decidedOn: '표시된 판정',
  signIn: '로그인',
  signOut: '로그아웃',
  token: '토큰',
  tokenWrong: '이 토큰을 가진 사람이 없습니다.',
  approverNeeded: '결정을 기록하려면 승인자 토큰으로 로그인하십시오.',
  decisionsOff:
    '여기서는 결정을 기록하지 않습니다. board.decisions, board.tokens, signing.key를 설정하십시오.',
  notFound: '없는 페이지입니다.',
  strangers: '감시되지만 설정에 없는 시스템',
  objectives: '목표',
  json: 'JSON으로 보기',
};

export const WORDS: Readonly<Record<Language, Words>> = { en: EN, ko: KO };

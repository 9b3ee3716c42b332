// The old test of the imputation service: 20 users who come within 60 s, each of whom asks 20 times, one predictor and ten
// trees a question. No two questions are the same, so that no answer has been kept.
//
//   k6 run deployment/k6/imputation.js -e BASE_URL=https://atoll.example.org
//
// USERS, RAMP, LOOPS (20, 60s, 20); HOLD (60s) is the time for the last user to end, after the ramp
// YEAR (the first of 2001 and 2010 that is offered), SEED (7), ATOLL_KEY, SAMPLES=1 (see atoll.js)
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { asking, BASE_URL, body, note, whole } from './atoll.js';

const USERS = whole('USERS', 20);
const LOOPS = whole('LOOPS', 20);
const IDLE_S = 0.2;

const questions = new Counter('questions');
let asked = 0; // by this user

export const options = {
  setupTimeout: '5m',
  scenarios: {
    users: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: [
        { duration: __ENV.RAMP || '60s', target: USERS },
        { duration: __ENV.HOLD || '60s', target: USERS },
      ],
      gracefulRampDown: '60s',
    },
  },
  thresholds: {
    'http_req_duration{name:imputation}': ['p(99)<2000'],
    'http_req_failed{name:imputation}': ['rate==0'],
    checks: ['rate==1'],
    // Fewer: HOLD is too short for what the users had to wait.
    questions: [`count==${USERS * LOOPS}`],
  },
};

function told(response, what) {
  if (response.status !== 200) throw new Error(`${what} answered ${response.status}: ${String(response.body).slice(0, 300)}`);
  return response.json();
}

function offered(path, query) {
  const parts = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return told(http.get(`${BASE_URL}/imputation/${path}?${parts.join('&')}`, asking('setup')), path);
}

/** Numbers from 0 up to 1 that are the same for the same seed (mulberry32). */
function chances(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** What to ask: targets and predictors of a year that the server offers, each pair at most once. */
export function setup() {
  const years = offered('target_years', {});
  const year = __ENV.YEAR || ['2001', '2010'].find((one) => years.includes(one)) || years[0];
  const targets = names(offered('datasets', { target_year: year })).flatMap((dataset) =>
    names(offered('targets', { target_year: year, dataset })),
  );
  if (!targets.length) throw new Error(`no targets are offered for ${year}; choose another YEAR`);
  const first = { target_year: year, target: targets[0], scheme: 'MANUAL' };
  const predictors = names(told(http.post(`${BASE_URL}/imputation/predictors`, JSON.stringify(first), asking('setup')), 'predictors'));
  const chance = chances(whole('SEED', 7));
  const pick = (list) => list[Math.floor(chance() * list.length)];
  const drawn = new Set();
  const pairs = [];
  for (let tries = 0; pairs.length < USERS * LOOPS && tries < 20 * USERS * LOOPS; tries += 1) {
    const pair = [targets[tries % targets.length], pick(predictors)];
    if (pair[0] === pair[1] || drawn.has(pair.join())) continue;
    drawn.add(pair.join());
    pairs.push(pair);
  }
  if (pairs.length < USERS * LOOPS) throw new Error(`${year} has ${pairs.length} questions only; give fewer USERS or LOOPS`);
  return { year, pairs };
}

/** A list as it is, and the keys of what is told with titles. */
function names(given) {
  return Array.isArray(given) ? given : Object.keys(given);
}

export default function (data) {
  if (asked >= LOOPS) {
    sleep(IDLE_S);
    return;
  }
  const [target, predictor] = data.pairs[((__VU - 1) * LOOPS + asked) % data.pairs.length];
  asked += 1;
  const question = {
    target_year: data.year,
    target,
    interpolator: 'KNNImputer',
    scheme: 'MANUAL',
    manual_predictors: [predictor],
    estimators: 10,
    model: 'rfr',
    interval: 'quantile',
  };
  const response = http.post(`${BASE_URL}/imputation/predict`, JSON.stringify(question), asking('imputation'));
  questions.add(1);
  check(response, {
    'status is 200': (r) => r.status === 200,
    'has values with intervals': (r) => {
      const answer = body(r);
      const found = answer && answer.prediction;
      return Boolean(found) && found.prediction.every((value, at) => found.lower[at] <= value && value <= found.upper[at]);
    },
  });
  note('imputation', response);
}

// Queued predictions: users who have a job accepted, follow it to its end, and take its result.
//
//   k6 run deployment/k6/jobs.js -e BASE_URL=https://atoll.example.org
//
// USERS, DURATION (10, 5m), PATH_ASKED (/sample_model/predict), BODY (a request of that model, as JSON)
// FINISHED_P95_MS (10000), PATIENCE_S (120) after which a job counts as lost, ATOLL_KEY, SAMPLES=1 (see atoll.js)
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { asking, BASE_URL, body, note, whole } from './atoll.js';

const PATH = __ENV.PATH_ASKED || '/sample_model/predict';
const BODY = __ENV.BODY || '{"requiredField": "Atoll"}';
const FINISHED_P95_MS = whole('FINISHED_P95_MS', 10000);
const PATIENCE_S = whole('PATIENCE_S', 120);
const FIRST_POLL_S = 0.05;
const LONGEST_POLL_S = 1;
const ENDS = ['succeeded', 'failed', 'cancelled', 'dead'];
const RUN = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;

const finished = new Trend('job_finished_ms', true);
const lost = new Counter('jobs_lost');

export const options = {
  scenarios: {
    jobs: { executor: 'constant-vus', vus: whole('USERS', 10), duration: __ENV.DURATION || '5m', gracefulStop: `${PATIENCE_S}s` },
  },
  thresholds: {
    'http_req_duration{name:accept}': ['p(99)<2000'],
    job_finished_ms: [`p(95)<${FINISHED_P95_MS}`],
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
  },
};

/** Ask until the job has ended, less often the longer it takes; its last state. */
function followed(location) {
  const began = Date.now();
  let pause = FIRST_POLL_S;
  let state = '';
  while (!ENDS.includes(state) && Date.now() - began < PATIENCE_S * 1000) {
    sleep(pause);
    pause = Math.min(LONGEST_POLL_S, pause * 1.5);
    const job = body(http.get(location, asking('poll')));
    state = (job && job.state) || state;
  }
  return state;
}

export default function () {
  const began = Date.now();
  const wanted = { Prefer: 'respond-async', 'Idempotency-Key': `${RUN}-${__VU}-${__ITER}`, 'Cache-Control': 'no-cache' };
  const accepted = http.post(`${BASE_URL}${PATH}`, BODY, asking('accept', wanted));
  note('accept', accepted);
  if (!check(accepted, { 'is accepted': (r) => r.status === 202 && Boolean(r.headers.Location) })) {
    sleep(LONGEST_POLL_S);
    return;
  }
  const location = new RegExp('^https?://').test(accepted.headers.Location) ? accepted.headers.Location : `${BASE_URL}${accepted.headers.Location}`;
  const state = followed(location);
  if (!ENDS.includes(state)) lost.add(1);
  else finished.add(Date.now() - began);
  if (check(state, { 'has succeeded': (s) => s === 'succeeded' })) {
    const result = http.get(`${location}/result`, asking('result'));
    check(result, { 'has a result': (r) => r.status === 200 });
  }
}

// The load of the old system on its own path: 10 users for 10 minutes ask for the sentiment of a few sentences, 95 of 100
// times of the same three.
//
//   k6 run deployment/k6/load.js -e BASE_URL=https://atoll.example.org -e CACHE_RATE=0.95
//
// CACHE_RATE  share of requests with the same three sentences (0.95); the others have ten more in random order
// UNIQUE=1    each of those others is new, so that no cache of single texts knows it
// USERS, DURATION (10, 10m), PATH_ASKED (/project/bulk-predict), ATOLL_KEY, SAMPLES=1 (see atoll.js)
import http from 'k6/http';
import { check } from 'k6';
import { Rate } from 'k6/metrics';
import { asking, BASE_URL, body, note, share, whole } from './atoll.js';

const CACHE_RATE = share('CACHE_RATE', 0.95);
const PATH = __ENV.PATH_ASKED || '/project/bulk-predict';
const SAME = ['I love you!', 'I hate you!', 'I am a Kubernetes Cluster!'];
const OTHERS = [
  'I ran to the store in the morning',
  'The store was out of milk and bread',
  'My friend called me on the way home again',
  'We talked about the weather for a little while',
  'It rained all day yesterday and today',
  'The film was better than I had expected',
  'Nobody in the theatre was laughing at all',
  'Dinner was cold, late and far too salty',
  'The waiter was very kind about it all',
  'I would go there again with my friends soon',
];

const cached = new Rate('cached');

export const options = {
  scenarios: {
    mixture: { executor: 'constant-vus', vus: whole('USERS', 10), duration: __ENV.DURATION || '10m' },
  },
  thresholds: {
    http_req_duration: ['p(99)<2000'],
    http_req_failed: ['rate==0'],
    http_reqs: ['rate>=10'],
    checks: ['rate==1'],
  },
};

/** The same sentences in random order (Fisher and Yates). */
function shuffled(sentences) {
  const all = [...sentences];
  for (let last = all.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [all[last], all[other]] = [all[other], all[last]];
  }
  return all;
}

function texts() {
  if (Math.random() < CACHE_RATE) return SAME;
  const all = shuffled(OTHERS);
  return __ENV.UNIQUE ? all.map((text, at) => `${text} ${__VU} ${__ITER} ${at}`) : all;
}

/** Whether each text has both classes, whose scores are those of one distribution. */
function answered(answer, count) {
  const found = answer && answer.predictions;
  return (
    Array.isArray(found) &&
    found.length === count &&
    found.every((pair) => {
      const sum = pair.reduce((total, one) => total + one.score, 0);
      return pair.map((one) => one.label).sort().join() === 'NEGATIVE,POSITIVE' && Math.abs(sum - 1) < 0.01;
    })
  );
}

export default function () {
  const text = texts();
  const response = http.post(`${BASE_URL}${PATH}`, JSON.stringify({ text }), asking('sentiment'));
  check(response, {
    'status is 200': (r) => r.status === 200,
    'each text has both classes': (r) => answered(body(r), text.length),
  });
  cached.add(response.headers['X-Cache'] === 'hit');
  note('sentiment', response);
}

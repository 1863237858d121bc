#include "coordinator/edge/views.h"

namespace ranktide {

const char* const kViews = R"sql(
-- A sweep shows the trials of its newest revision.
CREATE VIEW v_trial AS SELECT w.name AS sweep, t.id AS trial, t.cell, m.block, m.regime, t.method, t.rank, t.alpha,
    t.target, t.lr, t.seed, t.steps,
    CASE WHEN m.cancelled=2 THEN 'stopped_early'
      WHEN (w.state='cancelled' OR m.cancelled) AND g.state IN ('ready', 'running') OR w.state='stopped' AND g.state='ready'
      THEN 'cancelled' ELSE g.state END AS state,
    coalesce(g.step, g.checkpoint_step, 0) AS step, g.message, g.tokens,
    g.seconds, g.memory_peak_bytes, g.attempt AS attempts, g.exact, g.numerics, g.device, g.weights_sha256, t.base, g.id AS stage, m.evalset,
    m.n_learn, m.n_retain, m.position, m.labels, t.settings, t.params, t.model_from
  FROM sweep_trial m JOIN sweep w ON w.id=m.sweep AND w.revision=m.revision JOIN trial t ON t.id=m.trial
  JOIN stage g ON g.number=t.stage;

CREATE VIEW v_metric AS SELECT t.id AS trial, p.step, k.name, p.value, p.flag, p.attempt, p.at
  FROM point p JOIN metric_name k ON k.id=p.name JOIN trial t ON t.stage=p.stage;

CREATE VIEW v_eval AS SELECT m.sweep, m.trial, m.cell, m.evalset, e.step, k.task, e.metric, k.role, e.value, e.flag,
    e.stderr, e.n, e.sign*e.value AS score, b.sign*b.value AS base_score
  FROM v_trial m JOIN trial_subject p ON p.trial=m.trial JOIN eval e ON e.subject=p.subject AND e.state='finished'
  JOIN evalset_task k ON k.evalset=m.evalset AND k.spec=e.spec
  LEFT JOIN eval b ON b.subject=m.base AND b.spec=e.spec AND b.metric=e.metric;

-- silent: a learn loss above the untouched base's, although nothing was infinite
CREATE VIEW v_result AS SELECT v.sweep, v.trial, t.cell, t.regime, t.method, t.rank, t.target, t.lr, v.evalset, t.seed,
    v.step, v.step=t.steps AS final,
    avg(score) FILTER (WHERE role='learn') AS learning, avg(score-base_score) FILTER (WHERE role='learn') AS gain,
    avg(score) FILTER (WHERE role='retain') AS retained, avg(base_score-score) FILTER (WHERE role='retain') AS forgetting,
    count(score+base_score)=t.n_learn+t.n_retain AND t.state<>'stopped_early' AS complete,
    coalesce(max(role='learn' AND metric='loss' AND score<base_score), 0) AS silent, t.model_from
  FROM v_eval v JOIN v_trial t ON t.sweep=v.sweep AND t.trial=v.trial GROUP BY v.sweep, v.trial, v.step;

-- two-pass variances without sqrt; n=1 gives NULL
CREATE VIEW v_cell_var AS SELECT sweep, evalset, regime, method, rank, target, lr, cell, step, final, count(*) AS n,
    avg(learning) AS learning, avg(gain) AS gain, avg(retained) AS retained, avg(forgetting) AS forgetting,
    sum((learning-l)*(learning-l))/(count(*)-1) AS learning_var, sum((retained-k)*(retained-k))/(count(*)-1) AS retained_var,
    model_from
  FROM (SELECT *, avg(learning) OVER c AS l, avg(retained) OVER c AS k FROM v_result WHERE complete
        WINDOW c AS (PARTITION BY sweep, evalset, cell, step))
  GROUP BY sweep, evalset, cell, step;

-- pooled over the cells of one sweep, method, evalset and start; df=0 gives NULL. The base is one number, so that gain's
-- interval is learning's and forgetting's is retained's. Beyond t_crit stands the expansion of t in 1/df (Abramowitz
-- and Stegun 26.7.5), there within 1e-8 of the quantile.
CREATE VIEW v_cell AS SELECT c.sweep, c.evalset, c.regime, c.method, c.rank, c.target, c.lr, c.cell, c.step, c.final,
    c.n, c.learning, c.gain, c.retained, c.forgetting,
    t*sqrt(learning_s2/n) AS learning_ci, t*sqrt(learning_s2/n) AS gain_ci,
    t*sqrt(retained_s2/n) AS retained_ci, t*sqrt(retained_s2/n) AS forgetting_ci,
    t_own*sqrt(learning_var/n) AS learning_ci_own, t_own*sqrt(retained_var/n) AS retained_ci_own,
    c.df, c.model_from
  FROM (SELECT s.*, coalesce(p.t95, 1.959963985+(2.372271230+(2.822498616+2.555849680/s.df)/s.df)/s.df) AS t,
          coalesce(o.t95, 1.959963985+(2.372271230+(2.822498616+2.555849680/(n-1))/(n-1))/(n-1)) AS t_own
        FROM (SELECT *, sum(n-1) OVER pool AS df,
                sum((n-1)*learning_var) OVER pool/sum(n-1) OVER pool AS learning_s2,
                sum((n-1)*retained_var) OVER pool/sum(n-1) OVER pool AS retained_s2
              FROM v_cell_var
              WINDOW pool AS (PARTITION BY sweep, method, evalset, model_from, CASE WHEN final THEN -1 ELSE step END)) s
        LEFT JOIN t_crit p ON p.df=s.df LEFT JOIN t_crit o ON o.df=n-1) c;

-- not dominated in (learning, retained) among the final cells of one sweep, evalset and start
CREATE VIEW v_pareto AS SELECT * FROM (SELECT *, max(retained) OVER (PARTITION BY sweep, evalset, model_from
      ORDER BY learning DESC, retained DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS best
    FROM v_cell WHERE final) WHERE best IS NULL OR retained>best;

-- trials that are in no mean, and why
CREATE VIEW v_missing AS SELECT t.sweep, t.trial, t.cell, t.regime, t.method, t.rank, t.target, t.lr, t.seed, t.state,
    (SELECT group_concat(task, ', ') FROM (SELECT k.task FROM evalset_task k WHERE k.evalset=t.evalset
       AND NOT EXISTS (SELECT 1 FROM v_eval v WHERE v.sweep=t.sweep AND v.trial=t.trial AND v.step=t.steps
         AND v.task=k.task AND v.score+v.base_score IS NOT NULL) ORDER BY k.role, k.task))
      AS evals_missing, t.message
  FROM v_trial t LEFT JOIN v_result r ON r.sweep=t.sweep AND r.trial=t.trial AND r.final
  WHERE coalesce(r.complete, 0)=0;

-- Wall-clock columns are Unix milliseconds inside and ISO 8601 in UTC outside.
-- trial: of a trunk that of the trial which leaves it last
CREATE VIEW v_attempt AS SELECT a.unit,
    CASE WHEN g.id IS NOT NULL THEN 'stage' WHEN k.trunk IS NOT NULL THEN 'trunk' ELSE 'eval' END AS kind, t.id AS trial,
    a.attempt, a.worker, a.boot, a.slots, a.microbatch,
    strftime('%Y-%m-%dT%H:%M:%fZ', a.started/1000.0, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', a.ended/1000.0, 'unixepoch') AS ended_at,
    (a.ended-a.started)/1000.0 AS seconds, a.end_reason, a.message, a.log_tail
  FROM attempt a LEFT JOIN stage g ON g.id=a.unit LEFT JOIN eval e ON e.id=a.unit
  LEFT JOIN (SELECT trunk, stage, max(at) FROM branch GROUP BY trunk) k ON k.trunk=a.unit
  LEFT JOIN stage s ON s.id=coalesce(g.id, e.subject)
  LEFT JOIN trial t ON t.stage=coalesce(k.stage, s.number);

CREATE VIEW v_worker AS SELECT name AS worker, state, slots, version, boot,
    strftime('%Y-%m-%dT%H:%M:%fZ', joined/1000.0, 'unixepoch') AS joined_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', departed/1000.0, 'unixepoch') AS departed_at
  FROM worker WHERE state<>'forgotten';

CREATE VIEW v_error AS SELECT trial, kind, unit, attempt, worker, ended_at, end_reason, message, log_tail
  FROM v_attempt WHERE end_reason IN ('failed', 'out_of_memory', 'refused');

CREATE VIEW v_event AS SELECT seq, strftime('%Y-%m-%dT%H:%M:%fZ', at/1000.0, 'unixepoch') AS at, kind, subject, message FROM event;

-- trials: of the whole grid; not_started: what of it is not listed yet, and so in no other column and no other view
CREATE VIEW v_sweep AS SELECT w.name AS sweep, w.revision, w.state, w.owner, w.paused, w.priority, w.max_parallel,
    strftime('%Y-%m-%dT%H:%M:%fZ', w.submitted/1000.0, 'unixepoch') AS submitted_at,
    max(coalesce(w.trials, 0), count(t.trial)) AS trials,
    coalesce(sum(t.state='ready'), 0) AS ready, coalesce(sum(t.state='running'), 0) AS running,
    coalesce(sum(t.state='completed'), 0) AS completed, coalesce(sum(t.state='diverged'), 0) AS diverged,
    coalesce(sum(t.state='failed'), 0) AS failed, coalesce(sum(t.state='cancelled'), 0) AS cancelled,
    coalesce(sum(t.state='stopped_early'), 0) AS stopped_early,
    max(coalesce(w.trials, 0)-count(t.trial), 0) AS not_started
  FROM sweep w LEFT JOIN v_trial t ON t.sweep=w.name GROUP BY w.id;
)sql";

}  // namespace ranktide

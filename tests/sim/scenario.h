#pragma once
// Plays a transcript against a real coordinator core. A transcript is commands (lines that start with "> "),
// comments
// ("#") and, after each command, what the coordinator decided and said. Ids are shown as @1, @2, ... in the
// order of their first appearance. Not the simulator: no network, no chance, no agent.
//
//   > submit NAME [ranks=2,4] [seeds=1] [steps=6] [budgets=6,9] [tokens=64] [at=end+3] [request=ID] [owner=WHO]
//   [run=keep:none] [rates=1e-4,1e-3] [extend=1]
//       budgets=6,9 stands in the place of steps: trials that begin alike, and cool down over their last 2 steps;
//       with extend, train.lr is tuned; without `at` there are no evals; with it the untouched base is evaluated whatever it says; a trial is
//       predicted to hold 3.4 GB
//   > pause|resume|stop|cancel|retry NAME
//   > policy NAME [priority=1] [parallel=2]
//   > quota OWNER [slots=1]
//   > ask-drain WORKER
//   > revoke WORKER
//   > ask-revoke WORKER
//   > forget WORKER
//   > hello WORKER boot=B [slots=1] [gb=2.5,64] [device=cpu,GPU-1] [label=a,b] [held=@1/1 ...]
//       the lists are by slot; a slot has unknown memory without one, and no label
//   > beat WORKER boot=B [@1/1 ...]
//   > report WORKER @1/1 seq=1 [point=STEP] [checkpoint=STEP] [eval=@2] [loss=3]
//   > done WORKER @1/1 seq=2 completed|diverged|failed|out_of_memory|stopped [step=6] [lasting=1]
//   > drain WORKER boot=B
//   > wait 3s
//   > wake            goes to the next deadline
//   > look NAME       how a sweep stands
//   > grid NAME       its trials, listed or not
//   > restart         replays the journal into a new coordinator

#include <string>

namespace ranktide::sim {

// Returns: the transcript with what the coordinator does now. Throws: std::invalid_argument for a line it
// cannot read.
std::string play(const std::string& transcript);

}  // namespace ranktide::sim

#include "cli/slots_there.h"

#include "cli/coordinator_choice.h"
#include "cli/request.h"
#include "common/model/admitted_bytes.h"
#include "common/model/processor.h"
#include "coordinator/edge/query_workers.h"
#include "worker/daemon/devices.h"

namespace ranktide::cli {
namespace {

std::vector<Slot> slots_of_workers(const HttpClient& coordinator) {
  std::vector<Slot> out;
  const Json body = parse_json(get_body(coordinator, "/api/v1/workers"));
  for (const WorkerStatus& worker : from_json<std::vector<WorkerStatus>>(body))
    if (worker.state == "joined") out.insert(out.end(), worker.slots.begin(), worker.slots.end());
  for (Slot& slot : out)
    if (slot.processor == kUnknownProcessor) slot.processor.clear();  // another machine's may be any
  return out;
}

}  // namespace

SlotsThere slots_there(const GlobalOptions& globals, const SweepPlan& plan) {
  if (const auto coordinator = chosen_coordinator(globals))
    if (auto slots = slots_of_workers(*coordinator); !slots.empty())
      return {.slots = std::move(slots), .are_workers = true};
  return slots_here(plan, 1);
}

SlotsThere slots_here(const SweepPlan& plan, int threads) {
  const NodeCapacity node = measure_node();
  const int64_t predicted = plan.estimate ? plan.estimate->memory_bytes : 0;
  const int count = slots_for(node.cores / threads, node.memory_bytes, plan.trials(),
                              plan.spec.run.needs.memory_bytes.value_or(admitted_bytes(predicted)));
  return {.slots = cpu_slots(node, threads, count)};
}

}  // namespace ranktide::cli

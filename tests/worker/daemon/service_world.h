#pragma once
// A small world for tests of whole services: a coordinator and a worker with the fake trainer over loopback, in
// this process or as processes that can be killed. One verb per function.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "common/sweep/sweep_spec.h"
#include "coordinator/edge/reader.h"
#include "coordinator/edge/serve.h"
#include "tests/temporary_folder.h"
#include "worker/daemon/serve.h"

namespace ranktide {

// Terms short enough for a test, long enough for a busy machine.
CoordinatorConfig quick_terms();

struct SweepOfSeeds {
  std::vector<uint64_t> seeds;
  int steps = 6;
  std::string run;  // more settings under `run`
};
SweepSpec sweep_of(const SweepOfSeeds& wish);

// Returns: a port that nobody listened on a moment ago, for a coordinator that must come back at its address.
// It is below those that the system gives away by itself, so that nobody gets it by chance meanwhile.
std::string free_endpoint();

// Returns: whether `holds` became true within a generous time.
bool eventually(const std::function<bool()>& holds, std::chrono::seconds limit = std::chrono::seconds(300));

// A process of service_process.cpp, killed with the test.
class ServiceProcess {
 public:
  ServiceProcess(const std::vector<std::string>& arguments, const std::string& failpoint = "");
  ~ServiceProcess();
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;

  void kill_9();
  void terminate();
  bool has_ended();

 private:
  pid_t pid_ = -1;
  bool reaped_ = false;
};

class ServiceWorld {
  TemporaryFolder folder_;  // outlives the services below

 public:
  std::filesystem::path data() const { return folder_.path() / "data"; }
  std::filesystem::path work() const { return work_folder.empty() ? folder_.path() / "work" : work_folder; }

  // Makes both key pairs and enrols the worker.
  void make_keys();
  void start_coordinator(const std::string& endpoint = "tcp://127.0.0.1:*");
  void start_worker(int slots = 2, int step_ms = 1);
  std::unique_ptr<ServiceProcess> coordinator_process(const std::string& endpoint,
                                                      const std::string& failpoint = "");
  std::unique_ptr<ServiceProcess> worker_process(const std::string& endpoint, int step_ms);

  // Submits to the coordinator in this process. Returns: the sweep's number.
  SweepNumber submit(const SweepSpec& spec, const std::string& request_id = "r1");
  std::optional<SweepPicture> sweep(SweepNumber number = 1) const;
  bool wait_until_over(SweepNumber number = 1);
  // Returns: the first column of each row, as text; what the database says to anybody.
  std::vector<std::string> select(const std::string& sql) const;
  int64_t count(const std::string& from_where) const;

  bool sends_artifacts = false;
  bool trainers_can_start = true;
  std::filesystem::path trainer = RANKTIDE_FAKE_TRAINER;
  std::string gpu;                       // of the first slot; empty: it is of cores
  std::filesystem::path work_folder;     // of workers that are started from now on; empty: one for all
  std::filesystem::path inputs_program;  // of workers that are started from now on; empty: none
  std::unique_ptr<CoordinatorService> coordinator;
  std::unique_ptr<WorkerService> worker;

 private:
  std::string coordinator_key_;
};

}  // namespace ranktide

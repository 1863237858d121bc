// The Kubernetes files, rendered by kubectl and checked against the published schema. No cluster runs here.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/deploy/tools.h"
#include "tests/temporary_folder.h"

namespace ranktide::deploy {
namespace {

using testing::HasSubstr;
using testing::Not;

class Kubernetes : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (shell("kubectl version --client").out.find("Kustomize Version: v5") == std::string::npos)
      GTEST_SKIP() << "no kubectl with kustomize 5 is installed (1.27 or newer)";
    const e2e::Ended ended = shell("kubectl kustomize deploy/kubernetes/overlays/" + GetParam());
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
    rendered_ = ended.out;
  }

  std::string rendered_;
};

TEST_P(Kubernetes, RendersOneCoordinatorAndItsWorkers) {
  EXPECT_THAT(rendered_, HasSubstr("kind: StatefulSet"));
  EXPECT_THAT(rendered_, HasSubstr(GetParam() == "job" ? "kind: Job" : "kind: Deployment"));
  EXPECT_THAT(rendered_, HasSubstr("path: /livez"));
  EXPECT_THAT(rendered_, HasSubstr("path: /readyz"));
}

TEST_P(Kubernetes, MatchesTheSchemaOfItsVersion) {
  const std::string validate = python_tool("kubernetes-validate");
  if (!has(validate)) GTEST_SKIP() << "the Python package kubernetes-validate is not installed";
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "rendered.yaml").string();
  e2e::write_text(file, rendered_);
  for (const char* version : {"1.31", "1.34"}) {
    const e2e::Ended ended = shell(validate + " --strict --quiet -k " + version + " " + file);
    EXPECT_EQ(ended.exit_code, 0) << version << "\n" << ended.out << ended.err;
  }
}

TEST_P(Kubernetes, AsksForGpusWhereTheOverlaySaysSo) {
  if (GetParam() == "cpu")
    EXPECT_THAT(rendered_, Not(HasSubstr("nvidia.com/gpu")));
  else
    EXPECT_THAT(rendered_, HasSubstr("nvidia.com/gpu: \"1\""));
}

TEST_P(Kubernetes, RunsNothingAsRoot) {
  EXPECT_THAT(rendered_, HasSubstr("runAsNonRoot: true"));
  EXPECT_THAT(rendered_, Not(HasSubstr("allowPrivilegeEscalation: true")));
  EXPECT_THAT(rendered_, Not(HasSubstr("hostPath")));
}

TEST_P(Kubernetes, TheCoordinatorAnswersToEachNameOfItsService) {
  const std::string name = "- --http-name=ranktide-coordinator";
  for (const char* domain : {"", ".ranktide", ".ranktide.svc", ".ranktide.svc.cluster.local"})
    EXPECT_THAT(rendered_, HasSubstr(name + domain + "\n"));
}

INSTANTIATE_TEST_SUITE_P(Overlay, Kubernetes, testing::Values("cpu", "gpu", "job"),
                         [](const auto& param) { return param.param; });

TEST(KubernetesFiles, AJobFailsAtOnceWhereTryingAgainWouldNotHelp) {
  const std::string job = e2e::read_text(source("deploy/kubernetes/overlays/job/worker-job.yaml"));
  EXPECT_THAT(job, HasSubstr("values: [64, 65, 77, 78]"));
}

}  // namespace
}  // namespace ranktide::deploy

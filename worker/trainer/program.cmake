# ranktide-trainer. Everything but its main is a library, so that tests can ask its parts.
find_package(CLI11 REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
ranktide_library(ranktide_trainer_program
  SOURCES program/artifact.cpp program/command_inbox.cpp program/eval.cpp program/eval_ledger.cpp
          program/eval_run.cpp program/failure.cpp program/file_stamp.cpp program/gemm.cpp
          program/gemm_command.cpp program/logits.cpp
          program/model_choice.cpp program/report_pipe.cpp program/restore.cpp program/selfcheck_command.cpp
          program/serve.cpp program/stage_run.cpp program/text_lines.cpp
          program/tokenize.cpp program/warm_model.cpp program/weight_delta.cpp program/work_folders.cpp program/work_inputs.cpp program/work_reporter.cpp
  USES ranktide_vocabulary ranktide_model ranktide_trainer_data ranktide_trainer_eval ranktide_train
  PRIVATELY CLI11::CLI11 PkgConfig::ZSTD Threads::Threads ranktide_trainer_check ranktide_libtorch)
add_executable(ranktide-trainer program/main.cpp)
target_link_libraries(ranktide-trainer PRIVATE ranktide_trainer_program CLI11::CLI11)
set_target_properties(ranktide-trainer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

#include <malloc.h>

#include <exception>
#include <new>

#include "calibration/isa.h"
#include "calibration/parallel.h"
#include "cli/console.h"
#include "cli/interrupts.h"
#include "cli/parse.h"
#include "formats/error.h"

namespace terse::cli {
namespace {

/// Lets freed tensors be used again instead of giving their pages back and faulting fresh ones in for every operator:
/// a language model of 135M parameters spends a quarter of its time on that. Costs up to 256 MiB that stay ours.
void keep_freed_memory() {
  constexpr int kKeptBytes = 256 << 20;
  mallopt(M_MMAP_THRESHOLD, kKeptBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
}

void check_threads(int64_t threads) {
  if (threads < 0) {
    throw Error(Kind::usage, "--threads: expected 1 or more, or 0 for one a core, found {}", threads);
  }
}

ExitCode run(int argc, const char* const* argv) {
  const Parsed parsed = parse_command_line(argc, argv);
  if (!parsed.action) {
    print(parsed.text);
    return kDone;
  }
  check_threads(parsed.options.threads);
  Interrupts interrupts;
  const calibration::ThreadLimit limit(parsed.options.threads);
  calibration::limit_instruction_set(parsed.options.isa);
  return parsed.action({parsed.options, interrupts});
}

/// Every way to fail ends here, in one line and an exit code.
ExitCode run_and_report(int argc, const char* const* argv) {
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    print_message(error.what());
    return error.kind() == Kind::usage ? kUsage : kFailed;
  } catch (const std::bad_alloc&) {
    print_message("out of memory");
  } catch (const std::exception& error) {
    print_message(fmt::format("internal error: {}", error.what()));
  }
  return kFailed;
}

}  // namespace
}  // namespace terse::cli

int main(int argc, char** argv) {
  terse::cli::keep_freed_memory();
  return terse::cli::run_and_report(argc, argv);
}

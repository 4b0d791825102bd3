#include "cli/interrupts.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's own, which <csignal> is not
#include <unistd.h>

#include <mutex>
#include <thread>
#include <vector>

#include "cli/console.h"
#include "formats/bytes.h"

namespace terse::cli {
namespace {

constexpr int kStop = SIGUSR1;  // from the destructor: the program ends by itself

/// True if whoever started the program wants it to go on (nohup, a shell's background job).
bool is_ignored(int signal) {
  struct sigaction action = {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, kStop}) {
    if (!is_ignored(signal)) {
      sigaddset(&set, signal);
    }
  }
  return set;
}

}  // namespace

struct Interrupts::State {
  std::mutex mutex;
  std::vector<std::filesystem::path> folders, kept;
  std::thread thread;

  void watch() {
    const sigset_t set = watched_signals();
    int signal = 0;
    ::sigwait(&set, &signal);
    if (signal == kStop) {
      return;
    }
    const std::lock_guard lock(mutex);
    for (const auto& folder : folders) {
      remove_temporaries(folder);
    }
    for (const auto& path : kept) {
      std::error_code ignored;
      if (std::filesystem::exists(path, ignored)) {
        print_message(fmt::format("interrupted: {} holds what is solved, --resume goes on from it", path.string()));
      }
    }
    ::_exit(128 + signal);
  }
};

Interrupts::Interrupts() : state_(std::make_unique<State>()) {
  const sigset_t set = watched_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  state_->thread = std::thread([state = state_.get()] { state->watch(); });
}

Interrupts::~Interrupts() {
  ::pthread_kill(state_->thread.native_handle(), kStop);
  state_->thread.join();
}

void Interrupts::will_write(const std::filesystem::path& path) {
  const std::lock_guard lock(state_->mutex);
  state_->folders.push_back(path.has_parent_path() ? path.parent_path() : ".");
}

void Interrupts::will_keep(const std::filesystem::path& path) {
  const std::lock_guard lock(state_->mutex);
  state_->kept.push_back(path);
}

}  // namespace terse::cli

#include "start_child.hpp"

#include <sluice/descriptor.hpp>
#include <sluice/error.hpp>

#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <utility>

extern char** environ;

namespace sluice::process {
namespace {

enum class step : int {
  arrange,
  session,
  terminal,
  folder,
  group,
  user,
  program
};

// A change of identity of the caller alone. The C library's own calls would ask every thread of this process to follow.
#ifdef __linux__
#ifdef SYS_setuid32
constexpr long set_groups = SYS_setgroups32, set_group = SYS_setgid32, set_user = SYS_setuid32;
#else
constexpr long set_groups = SYS_setgroups, set_group = SYS_setgid, set_user = SYS_setuid;
#endif
int change_groups_to_none() noexcept { return static_cast<int>(::syscall(set_groups, 0, nullptr)); }
int change_group(gid_t wanted) noexcept { return static_cast<int>(::syscall(set_group, wanted)); }
int change_user(uid_t wanted) noexcept { return static_cast<int>(::syscall(set_user, wanted)); }
#else
int change_groups_to_none() noexcept { return ::setgroups(0, nullptr); }
int change_group(gid_t wanted) noexcept { return ::setgid(wanted); }
int change_user(uid_t wanted) noexcept { return ::setuid(wanted); }
#endif

// What the child tells of its failure.
struct failure {
  step at;
  int error;
};

const char* to_string(step at) noexcept {
  switch (at) {
    case step::arrange: return "arranging its descriptors";
    case step::session: return "making a session";
    case step::terminal: return "taking its terminal";
    case step::folder: return "changing to its folder";
    case step::group: return "changing its group";
    case step::user: return "changing its user";
    case step::program: return "running it";
  }
  return "unknown";
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& each : texts) result.push_back(each.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_of(const options& wanted) {
  std::map<std::string, std::string> variables;
  for (char** each = environ; wanted.inherit_environment && *each != nullptr; ++each) {
    const std::string_view text = *each;
    const std::size_t equals = text.find('=', 1);
    if (equals != std::string_view::npos)
      variables.insert_or_assign(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
  }
  for (const auto& [name, value] : wanted.environment) variables.insert_or_assign(name, value);
  std::vector<std::string> result;
  for (const auto& [name, value] : variables) result.emplace_back(name).append(1, '=').append(value);
  return result;
}

// Where a program of that name is looked for, as execvp(3) does, in the child's own PATH.
std::vector<std::string> places_of(const std::string& program, const std::vector<std::string>& environment) {
  if (program.find('/') != std::string::npos) return {program};
  std::string_view folders = "/bin:/usr/bin";
  for (const std::string& each : environment)
    if (each.starts_with("PATH=")) folders = std::string_view(each).substr(5);
  std::vector<std::string> result;
  for (;;) {
    const std::size_t colon = folders.find(':');
    const std::string_view folder = folders.substr(0, colon);
    result.push_back(folder.empty() ? program : std::string(folder) + '/' + program);
    if (colon == std::string_view::npos) return result;
    folders.remove_prefix(colon + 1);
  }
}

// The errors of one place in PATH that say nothing of the next.
bool may_be_elsewhere(int error) noexcept {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case ENAMETOOLONG:
    case ESTALE:
    case ENODEV:
    case ETIMEDOUT: return true;
    default: return false;
  }
}

// Everything that the child needs, made before it is: the child has the memory of this process, whose other threads go on, and may neither
// allocate nor change anything that somebody else reads.
class child_plan {
 public:
  child_plan(const options& wanted, const std::vector<mapped_descriptor>& descriptors, bool has_terminal)
      : wanted_(wanted), descriptors_(descriptors), has_terminal_(has_terminal), arguments_{wanted.program} {
    arguments_.insert(arguments_.end(), wanted.arguments.begin(), wanted.arguments.end());
    environment_ = environment_of(wanted);
    places_ = places_of(wanted.program, environment_);
    argv_ = pointers_to(arguments_);
    shell_argv_ = argv_;
    shell_argv_.insert(shell_argv_.begin(), nullptr);
    envp_ = pointers_to(environment_);
    for (const mapped_descriptor& each : descriptors) first_free_ = std::max(first_free_, each.in_child + 1);
  }

  // In the child. Returns only if it failed.
  failure run(int report) noexcept {
    reset_signals();
    if (!arrange(report)) return {step::arrange, errno};
    if ((wanted_.new_session || has_terminal_) && ::setsid() < 0) return {step::session, errno};
    if (has_terminal_ && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) return {step::terminal, errno};
    if (!wanted_.working_directory.empty() && ::chdir(wanted_.working_directory.c_str()) != 0) return {step::folder, errno};
    if ((wanted_.user || wanted_.group) && ::geteuid() == 0 && change_groups_to_none() != 0) return {step::group, errno};
    if (wanted_.group && change_group(*wanted_.group) != 0) return {step::group, errno};
    if (wanted_.user && change_user(*wanted_.user) != 0) return {step::user, errno};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    return {step::program, execute()};
  }

  int first_free() const noexcept { return first_free_; }
  bool changes_identity() const noexcept { return wanted_.user || wanted_.group; }

 private:
  // No handler of ours means anything there, and what is ignored would stay so (rule G2).
  static void reset_signals() noexcept {
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
  }

  // Tries each place in turn; of what was found and could not be run, the reason counts more than that it was not found elsewhere. A file that
  // is no program is one of the shell.
  int execute() noexcept {
    const bool is_path = wanted_.program.find('/') != std::string::npos;
    int reason = ENOENT;
    for (std::string& place : places_) {
      ::execve(place.c_str(), argv_.data(), envp_.data());
      if (errno == ENOEXEC) {
        shell_argv_[0] = shell_.data();
        shell_argv_[1] = place.data();
        ::execve(shell_.c_str(), shell_argv_.data(), envp_.data());
      }
      if (is_path || !may_be_elsewhere(errno)) return errno;
      if (errno == EACCES) reason = EACCES;
    }
    return reason;
  }

  // The sources go out of the way of the numbers first, then each to its own; everything else ends when the program begins.
  bool arrange(int report) noexcept {
    for (mapped_descriptor& each : descriptors_) {
      each.here = ::fcntl(each.here, F_DUPFD_CLOEXEC, first_free_);
      if (each.here < 0) return false;
    }
    close_on_exec_from(STDERR_FILENO + 1);
    for (const mapped_descriptor& each : descriptors_)
      if (::dup2(each.here, each.in_child) < 0) return false;
    return ::fcntl(report, F_SETFD, FD_CLOEXEC) == 0;
  }

  static void close_on_exec_from(int first) noexcept {
#if defined(SYS_close_range) && defined(__linux__)
    constexpr unsigned close_on_exec = 4;  // CLOSE_RANGE_CLOEXEC
    if (::syscall(SYS_close_range, first, ~0U, close_on_exec) == 0) return;
#endif
    rlimit most{};
    constexpr rlim_t enough = 65536;
    const int end = ::getrlimit(RLIMIT_NOFILE, &most) == 0 ? static_cast<int>(std::min(most.rlim_cur, enough)) : static_cast<int>(enough);
    for (int number = first; number < end; ++number) ::fcntl(number, F_SETFD, FD_CLOEXEC);
  }

  const options& wanted_;
  std::vector<mapped_descriptor> descriptors_;
  bool has_terminal_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<std::string> places_;
  std::string shell_ = "/bin/sh";
  std::vector<char*> argv_;
  std::vector<char*> shell_argv_;  // one longer, for the shell's own name
  std::vector<char*> envp_;
  int first_free_ = STDERR_FILENO + 1;
};

// Blocks every signal while it lives: no handler of this process may run in the child, which has its memory.
class signals_blocked {
 public:
  signals_blocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// By vfork(2): no page table is copied, so that a process of any size starts a child in the same time; this thread goes on when the child's
// program begins. Not inlined, as its frame is the child's too. A child of another user gets a copy of the memory instead: the system
// ends core dumps and debugging of memory that changes hands, and that user might stop the child while we wait for it.
[[gnu::noinline]] pid_t fork_and_run(child_plan& plan, int report) noexcept {
  const signals_blocked blocked;
#ifdef __linux__
  // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): see above and child_plan
  const pid_t child = plan.changes_identity() ? ::fork() : ::vfork();
#else
  const pid_t child = ::fork();
#endif
  if (child != 0) return child;
  const failure why = plan.run(report);
  [[maybe_unused]] const ssize_t told = ::write(report, &why, sizeof why);
  ::_exit(127);
}

// Until the program has begun, which closes the other end.
bool read_failure(int from, failure& told) noexcept {
  ssize_t n = 0;
  do n = ::read(from, &told, sizeof told);
  while (n < 0 && errno == EINTR);
  return n == sizeof told;
}

started_child failed(const options& wanted, const char* doing, int error) {
  const std::error_code code = system_error(error);
  return {-1, code, "starting \"" + wanted.program + "\": " + doing + ": " + code.message()};
}

}  // namespace

started_child start_child(const options& wanted, const std::vector<mapped_descriptor>& descriptors, bool has_terminal) {
  child_plan plan(wanted, descriptors, has_terminal);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed(wanted, "making a pipe", errno);
  const descriptor from(ends[0]);
  descriptor to(::fcntl(ends[1], F_DUPFD_CLOEXEC, plan.first_free()));  // out of the way of the child's numbers
  ::close(ends[1]);
  if (!to) return failed(wanted, "making a pipe", errno);
  const pid_t child = fork_and_run(plan, to.get());
  const int fork_error = errno;
  if (child < 0) return failed(wanted, "making a process", fork_error);
  to.close();
  failure why{};
  if (!read_failure(from.get(), why)) return {child};
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
  return failed(wanted, to_string(why.at), why.error);
}

}  // namespace sluice::process

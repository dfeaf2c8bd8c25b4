// The code of docs/processes.md.
#include <sluice/loop.hpp>
#include <sluice/pipe.hpp>
#include <sluice/process.hpp>
#include <sluice/schemes.hpp>

#include <cstdio>
#include <memory>
#include <string>

class answers final : public sluice::process_protocol {
 public:
  void connection_made(sluice::process_transport& process) override {
    process.pipe(0)->write("6*7\n");
    process.pipe(0)->write_eof();
  }
  void pipe_data_received(int, sluice::const_bytes data) override { text_ += sluice::as_text(data); }
  void process_exited(const sluice::process::exit_status& status) override {
    std::printf("%s; it said %s", to_string(status).c_str(), text_.c_str());
  }

 private:
  std::string text_;
};

void calculate(sluice::loop& loop) {
  sluice::process::options options{.program = "bc", .arguments = {"-l"}};
  options.working_directory = "/tmp";
  options.environment = {{"BC_LINE_LENGTH", "0"}};
  const auto started = sluice::process::spawn(loop, options, [] { return std::make_unique<answers>(); });
  if (!started) std::fprintf(stderr, "%s\n", started.detail().c_str());
}

void shell(sluice::loop& loop, const sluice::process_protocol_factory& session) {
  sluice::process::options options{.program = "/bin/sh"};
  options.terminal = sluice::process::terminal_size{.rows = 24, .columns = 80};
  sluice::process::spawn(loop, options, session);
}

class talk final : public sluice::protocol {
 public:
  void connection_made(sluice::transport& transport) override { transport_ = &transport; }
  void data_received(sluice::const_bytes data) override { std::fwrite(data.data(), 1, data.size(), stdout); }
  void connection_lost(std::error_code) override {
    if (const auto child = transport_->info<sluice::process::child_state>(); child && child->status)
      std::printf("%s\n", to_string(*child->status).c_str());
  }

 private:
  sluice::transport* transport_ = nullptr;
};

void by_string(sluice::loop& loop) {
  sluice::connect(loop, "exec:bc?arg=-l&cwd=/tmp&env=BC_LINE_LENGTH=0", [] { return std::make_unique<talk>(); }).detach();
}
void answer(sluice::transport& connection, sluice::descriptor file, std::uint64_t size) {
  connection.write("here it comes: ");
  const std::error_code refused = connection.send_file(std::move(file), 0, size, [](std::error_code error, std::uint64_t taken) {
    if (error) std::fprintf(stderr, "the end came after %llu bytes: %s\n", static_cast<unsigned long long>(taken), error.message().c_str());
  });
  if (refused) std::fprintf(stderr, "cannot send it: %s\n", refused.message().c_str());
  connection.close();
}

#include "cli/signer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include "cli/ssh_agent.hpp"
#include "os/clock.hpp"
#include "os/descriptor.hpp"
#include "vault/vault_key.hpp"

namespace popvault::cli {
namespace {

constexpr std::int64_t kCommandMs = 120'000;
constexpr std::size_t kMaxAnswer = 512;
constexpr std::size_t kMostWords = 64;

// Whatever another program said: the signature is looked at here, before it could count as a wrong proof.
Result<SignedText> checked(const SignedText& signed_text, const std::string& text, const std::vector<crypto::PublicKey>& keys) {
  if (std::find(keys.begin(), keys.end(), signed_text.key) == keys.end())
    return fail(Errc::authenticator_failed, "its key is not enrolled; see popvault authenticator list");
  if (!crypto::verify(signed_text.key, as_bytes(text), signed_text.signature))
    return fail(Errc::authenticator_failed, "what it gave is no signature of the challenge");
  return signed_text;
}

std::vector<std::string> words_of(const std::string& command) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while ((at = command.find_first_not_of(' ', at)) != std::string::npos) {
    const std::size_t end = std::min(command.find(' ', at), command.size());
    out.push_back(command.substr(at, end - at));
    at = end;
  }
  return out;
}

struct Pipe {
  Descriptor from, to;
};
Result<Pipe> new_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// In the child: only calls that are allowed between fork and exec. It gets no descriptor but the first three.
[[noreturn]] void become(char* const* argv, int in, int out) {
  dup2(in, 0);
  dup2(out, 1);
  syscall(SYS_close_range, 3U, ~0U, 0U);
  signal(SIGPIPE, SIG_DFL);
  // A screen holds signals back; the command must not.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvp(argv[0], argv);
  _exit(127);
}

class Child {
 public:
  explicit Child(pid_t pid) noexcept : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    (void)wait();
  }
  // Its exit status; -1 when a signal ended it.
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
};

// Everything up to the end.
Result<std::string> read_answer(int fd) {
  const std::int64_t deadline = system_clock().monotonic_ms() + kCommandMs;
  std::string out;
  while (true) {
    const std::int64_t left = deadline - system_clock().monotonic_ms();
    pollfd wait{fd, POLLIN, 0};
    const int ready = left > 0 ? poll(&wait, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail(Errc::authenticator_failed, "the command took too long");
    std::array<char, kMaxAnswer> part{};
    const ssize_t n = read(fd, part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "reading from the command");
    if (n == 0) return out;
    out.append(part.data(), static_cast<std::size_t>(n));
    if (out.size() > kMaxAnswer) return fail(Errc::authenticator_failed, "the command wrote too much");
  }
}

Result<std::string> run_command(const std::string& command, const std::string& text) {
  std::vector<std::string> words = words_of(command);
  if (words.empty() || words.size() > kMostWords)
    return fail(Errc::usage, "--authenticator-command takes a program and its arguments, separated by spaces");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  PV_ASSIGN(Pipe in, new_pipe());
  PV_ASSIGN(Pipe out, new_pipe());
  const pid_t pid = fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) become(argv.data(), in.from.get(), out.to.get());
  Child child(pid);
  in.from.reset();
  out.to.reset();
  // It fits into a pipe; one that does not read it signs something else, which is found out.
  (void)!write(in.to.get(), text.data(), text.size());
  in.to.reset();
  PV_ASSIGN(std::string answer, read_answer(out.from.get()));
  const int status = child.wait();
  if (status == 127 && answer.empty()) return fail(Errc::authenticator_failed, "the command could not be run");
  if (status != 0) return fail(Errc::authenticator_failed, "the command failed");
  return answer;
}

Result<SignedText> parse_answer(std::string_view answer) {
  while (answer.ends_with('\n')) answer.remove_suffix(1);
  const std::size_t space = std::min(answer.find(' '), answer.size());
  const auto key = public_key_from_hex(answer.substr(0, space));
  const auto bytes = from_hex(answer.substr(std::min(space + 1, answer.size())));
  SignedText out;
  if (!key || !bytes || bytes->size() != out.signature.bytes.size())
    return fail(Errc::authenticator_failed, "the command must write the public key and the signature in hex");
  out.key = *key;
  std::copy(bytes->begin(), bytes->end(), out.signature.bytes.begin());
  return out;
}

}  // namespace

std::optional<crypto::PublicKey> public_key_from_hex(std::string_view text) {
  const auto bytes = from_hex(text);
  crypto::PublicKey out;
  if (!bytes || bytes->size() != out.bytes.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
  return out;
}

std::vector<crypto::PublicKey> keys_of(const Json& enrolled) {
  std::vector<crypto::PublicKey> out;
  if (const auto* list = enrolled["authenticators"].array())
    for (const Json& one : *list)
      if (const auto key = public_key_from_hex(one["public_key"].text_or(""))) out.push_back(*key);
  return out;
}

Signer key_signer(const SecretBytes& vault_key) {
  const auto key = std::make_shared<crypto::SigningKey>(crypto::SigningKey::from_seed(owner_proof_seed(vault_key)));
  return [key](const std::string& text) -> Result<SignedText> {
    return SignedText{key->public_key(), key->sign(as_bytes(text))};
  };
}

Signer ssh_signer(const Json& enrolled) {
  return [keys = keys_of(enrolled)](const std::string& text) -> Result<SignedText> {
    PV_ASSIGN(SshAgent agent, SshAgent::connect());
    PV_ASSIGN(const auto identities, agent.identities());
    for (const SshIdentity& identity : identities) {
      if (std::find(keys.begin(), keys.end(), identity.key) == keys.end()) continue;
      PV_ASSIGN(const crypto::Signature signature, agent.sign(identity.key, text));
      return checked({identity.key, signature}, text, keys);
    }
    return fail(Errc::authenticator_failed, "the ssh-agent holds no enrolled key; see popvault authenticator list");
  };
}

Signer command_signer(const std::string& command, const Json& enrolled) {
  return [command, keys = keys_of(enrolled)](const std::string& text) -> Result<SignedText> {
    PV_ASSIGN(const std::string answer, run_command(command, text));
    PV_ASSIGN(const SignedText signed_text, parse_answer(answer));
    return checked(signed_text, text, keys);
  };
}

}  // namespace popvault::cli

// doctor: looks at files and daemon without changing anything, and says what can be done. Each finding is one
// line; the exit status is 1 when one of them is a problem.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cli/command.hpp"
#include "cli/daemon_start.hpp"
#include "base/display.hpp"
#include "cli/local_files.hpp"
#include "cli/owner_session.hpp"
#include "crypto/aead.hpp"
#include "crypto/compiled_salt.hpp"
#include "os/fs.hpp"
#include "vault/vault_file.hpp"

namespace popvault::cli {
namespace {

enum class Level : std::uint8_t { ok, note, problem };

class Findings {
 public:
  void add(Level level, std::string_view check, const std::string& text, std::string_view todo = {}) {
    constexpr const char* kWords[] = {"ok", "note", "problem"};
    const char* const word = kWords[static_cast<std::size_t>(level)];
    bad_ = bad_ || level == Level::problem;
    list_.emplace_back(Json::Object{{"level", word},
                                    {"check", check},
                                    {"message", text},
                                    {"remediation", todo.empty() ? Json() : Json(todo)}});
    text_ += std::string(word) + ": " + escape_for_terminal(text);
    if (!todo.empty()) text_ += " (" + std::string(todo) + ")";
    text_ += "\n";
  }
  void add(std::string_view check, const Error& error) {
    add(Level::problem, check, error.message(), info(error.code).todo);
  }
  Output output() && {
    return {Json::Object{{"ok", !bad_}, {"findings", std::move(list_)}}, std::move(text_), bad_ ? 1 : 0};
  }

 private:
  Json::Array list_;
  std::string text_;
  bool bad_ = false;
};

// One file or folder of the home: ours, of the right type, closed to others. Gives whether it is there.
bool check_entry(Findings& out, const std::string& path, FileType type) {
  FileStat st;
  const int status = real_fs().stat_path(path, st);
  const std::string name(last_component(path));
  if (status == -ENOENT) return false;
  if (status < 0) return out.add("files", fail_errno(-status, "looking at " + name).value()), false;
  const char* const mend = type == FileType::directory ? "make it yours: chown it and chmod 0700"
                                                       : "make it yours: chown it and chmod 0600";
  if (st.type != type) {
    out.add(Level::problem, "files", name + " has the wrong type", "move it away and restore the right one");
  } else if (st.owner != geteuid()) {
    out.add(Level::problem, "files", name + " belongs to another user", mend);
  } else if ((st.mode & 077) != 0) {
    out.add(Level::problem, "files", name + " is open to group or others", mend);
  }
  return true;
}

void check_vault_file(Findings& out, const std::string& home) {
  const auto bytes = read_vault(real_fs(), home);
  if (!bytes) return;  // its absence or wrong rights are said already
  if (bytes->size() < crypto::kAeadOverhead)
    out.add(Level::problem, "vault", "vault.enc is cut to " + std::to_string(bytes->size()) + " bytes",
            "restore a copy of the home; nothing can be read from this file");
  else
    out.add(Level::ok, "vault", "vault.enc has " + std::to_string(bytes->size()) + " bytes");
}

void check_mode(Findings& out, const std::string& home) {
  const std::string mode = mode_on_disk(home);
  if (mode.empty())
    out.add(
        Level::problem, "mode", ".vault_mode is missing or holds another word",
        "write passphrase, machine-hardened or machine-oss, whichever the vault was made with, mode 0600");
  else if (mode == "machine-hardened" && !crypto::hardened_build())
    out.add("mode", Error{Errc::downgrade_refused, {}});
  else if (mode == "machine-oss")
    out.add(Level::note, "mode",
            "the key comes from this machine and a public salt: any program here can derive it",
            "make a passphrase vault and move the cards if that matters");
  else
    out.add(Level::ok, "mode", "the vault's mode is " + mode);
}

void check_machine_id(Findings& out, const std::string& home) {
  const auto system_id = read_system_file(real_fs(), "/etc/machine-id", 4096);
  FileStat st;
  if (system_id && system_id->size() > 1) {
    out.add(Level::note, "machine-id", "the key depends on /etc/machine-id",
            "keep a copy of it with your backups");
  } else if (real_fs().stat_path(home + "/.machine_id", st) == 0) {
    out.add(Level::note, "machine-id", "the key depends on .machine_id in the home",
            "keep it with your backups");
  } else {
    out.add(Level::problem, "machine-id", "there is no /etc/machine-id and no .machine_id",
            "put back the one the vault was made with; without it the vault does not open");
  }
}

void check_left_overs(Findings& out, const std::string& home) {
  const auto names = list_dir(real_fs(), home);
  if (!names) return;
  const auto stale = std::count_if(names->begin(), names->end(),
                                   [](const std::string& n) { return n.find(".tmp-") != std::string::npos; });
  if (stale > 0)
    out.add(Level::note, "files", std::to_string(stale) + " temporary file(s) of a write that was cut off",
            "the daemon removes them when it starts");
}

void check_home(Findings& out, const Paths& paths) {
  if (!check_entry(out, paths.home, FileType::directory)) {
    out.add(Level::note, "home", "there is no home at " + paths.home, "popvault init makes it");
    return;
  }
  out.add(Level::ok, "home", "the home is " + paths.home);
  const bool vault = check_entry(out, paths.home + "/vault.enc", FileType::regular);
  const bool state = check_entry(out, paths.home + "/state.db", FileType::regular);
  for (const char* name :
       {"/.vault_mode", "/.machine_id", "/.narrowed", "/slots/recovery.slot", "/config.json", "/popvaultd.log", "/state.db-wal", "/state.db-shm"})
    check_entry(out, paths.home + name, FileType::regular);
  for (const char* name : {"/blobs", "/slots"}) check_entry(out, paths.home + name, FileType::directory);
  check_entry(out, paths.runtime, FileType::directory);
  if (!vault && !state) return out.add(Level::note, "vault", "there is no vault yet", "run popvault init");
  if (vault != state)
    out.add(Level::problem, "vault",
            vault ? "vault.enc is there and state.db is not" : "state.db is there and vault.enc is not",
            "put both back from the same copy of the home");
  if (vault) check_vault_file(out, paths.home);
  check_mode(out, paths.home);
  check_machine_id(out, paths.home);
  check_left_overs(out, paths.home);
}

void check_programs(Findings& out) {
  for (const char* name : {"popvaultd", "popvault-injector"})
    if (find_program(name).empty())
      out.add(Level::problem, "programs", std::string(name) + " is not beside this program",
              "install popvault again");
}

// What the daemon finds: whether the files belong together, and each blob that its record cannot use.
void check_files(Findings& out, OwnerSession& session) {
  const auto checked = session.call("vault.check");
  if (!checked) return out.add("files", checked.error());
  const Json::Array* problems = (*checked)["problems"].array();
  for (const Json& problem : problems != nullptr ? *problems : Json::Array{}) {
    const std::string id = problem["id"].text_or("");
    const std::string text = problem["problem"].text_or("?");
    out.add(Level::problem, "files", id.empty() ? text : problem["file"].text_or("?") + " of " + id + ": " + text,
            problem["remedy"].text_or(""));
  }
  const auto count = (*checked)["checked"].int_or(0);
  if ((*checked)["ok"].bool_or(false)) out.add(Level::ok, "files", std::to_string(count) + " blob(s) are as they were written");
}

// What an owner forgets until it is too late.
void check_habits(Findings& out, const Json& status) {
  if (status["epoch"]["overdue"].bool_or(false))
    out.add(Level::note, "epochs", "a rotation of the keys is overdue", "run popvault unlock; it is done then");
  if (status["failed_recoveries"].int_or(0) > 0)
    out.add(Level::note, "recovery",
            "tries with wrong recovery words in 30 days: " + std::to_string(status["failed_recoveries"].int_or(0)),
            "if they were not yours, look at popvault audit list, and who else can run programs as you");
  if (status["state"].text_or("") != "unlocked") return;
  if (status["recovery"].is_null())
    out.add(Level::note, "recovery", "there are no recovery words: a lost passphrase or a new machine id loses everything",
            "run popvault recovery create");
  if (status["last_backup"].is_null())
    out.add(Level::note, "backup", "no backup was made and verified", "run popvault backup create FILE");
}

void check_daemon(Findings& out, const Context& context) {
  auto session = OwnerSession::open(context, IfStopped::refuse);
  if (!session && session.error().code == Errc::daemon_unreachable)
    return out.add(Level::note, "daemon", "popvaultd is not running", "most commands start it");
  if (!session) return out.add("daemon", session.error());
  if (session->hello()["version"].text_or("") != POPVAULT_VERSION)
    out.add(Level::problem, "daemon", "popvaultd has another version than this program",
            "run popvault stop, then any command");
  const auto status = session->call("vault.status");
  if (!status) return out.add("daemon", status.error());
  out.add(Level::ok, "daemon", "popvaultd runs; the vault is " + (*status)["state"].text_or("?"));
  if ((*status)["frozen"].bool_or(false)) out.add("daemon", Error{Errc::frozen, {}});
  if (const auto* warnings = (*status)["warnings"].array())
    for (const Json& warning : *warnings) out.add(Level::note, "daemon", warning.text_or("?"));
  const std::string state = (*status)["state"].text_or("");
  if (state == "uninitialised") return;
  check_habits(out, *status);
  const auto journal = session->call("audit.verify");
  if (journal && !(*journal)["ok"].bool_or(false)) out.add("journal", Error{Errc::journal_broken, {}});
  if (!journal) out.add(state == "damaged" ? "files" : "journal", journal.error());
  if (state != "damaged") check_files(out, *session);
}

}  // namespace

Result<Output> run_doctor(const Context& context) {
  Findings findings;
  check_home(findings, context.paths);
  check_programs(findings);
  check_daemon(findings, context);
  return std::move(findings).output();
}

}  // namespace popvault::cli

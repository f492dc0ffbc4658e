// completion bash, zsh, fish.
#include "cli/command.hpp"

namespace popvault::cli {
namespace {

// One line per command: its words, then what may follow. The three scripts are made from it.
struct Entry {
  const char* word;
  const char* follows;
};
constexpr Entry kEntries[] = {
    {"init", "--machine --accept-public-salt --passphrase-fd"},
    {"unlock", "--passphrase-fd"},
    {"lock", ""},
    {"freeze", ""},
    {"unfreeze", "--passphrase-fd"},
    {"stop", ""},
    {"status", ""},
    {"doctor", ""},
    {"passphrase", "--remove --accept-machine-key --accept-public-salt --new-passphrase-fd --passphrase-fd"},
    {"recovery", "create use identity --words-fd --new-passphrase-fd --passphrase-fd"},
    {"backup",
     "create verify restore --recipient --words-fd --identity --signer --new-passphrase-fd --allow-older "
     "--passphrase-fd"},
    {"add", "card identity login api-key --label --fields-fd"},
    {"list", "--kind --trash"},
    {"show", ""},
    {"edit", "--label --fields-fd --passphrase-fd"},
    {"rm", "--now --undo --passphrase-fd"},
    {"reveal", "--passphrase-fd"},
    {"import", "pop-pay --mode --machine-id-hex --username --salt-hex --passphrase-fd --dry-run --label"},
    {"export", "pop-pay --record --mode --accept-public-salt --file-passphrase-fd --passphrase-fd"},
    {"agent", "add list rotate suspend resume revoke --key-file --uid --expires-days --passphrase-fd"},
    {"authenticator", "add list rm ssh raw --key --public-key --label --passphrase-fd"},
    {"policy",
     "set show unset kill --merchant --processor --account --price-selector --record --per-use --per-day --per-month --currency --uses-per-hour "
     "--ask-above --strength --unlisted --price-drift --expires --no-kill --explain --passphrase-fd"},
    {"recipe", "list add remove pin rollback --unsigned --passphrase-fd"},
    {"config",
     "get set browser.endpoint browser.program browser.exchange allow_loopback_http journal.retention_days lock.after lock.idle approvals.hook approvals.proof --passphrase-fd"},
    {"approvals", "--watch"},
    {"approve", "--force --passphrase-fd"},
    {"deny", ""},
    {"purchases", "settle release adjust --status --limit --amount --currency --reason --passphrase-fd"},
    {"grant", "--record --ttl --seal --passphrase-fd"},
    {"grants", ""},
    {"revoke", ""},
    {"audit",
     "list verify export purge --after --limit --agent --since --kind --file --public-key --format --subject "
     "--passphrase-fd"},
    {"browser", "--headless --port --profile --require-token --stop"},
    {"completion", "bash zsh fish"},
};

std::string all_words() {
  std::string out;
  for (const Entry& e : kEntries) out.append(e.word).append(" ");
  return out + "--json --authenticator --authenticator-command --help --version";
}

std::string bash() {
  std::string out = "_popvault() {\n  local follows\n  case \"${COMP_WORDS[1]}\" in\n";
  for (const Entry& e : kEntries)
    out += std::string("    ") + e.word + ") follows=\"" + e.follows + " --json --authenticator --authenticator-command --help\" ;;\n";
  out += "  esac\n  if [ \"$COMP_CWORD\" -le 1 ]; then follows=\"" + all_words() + "\"; fi\n";
  out += "  COMPREPLY=($(compgen -W \"$follows\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n";
  return out + "complete -o default -F _popvault popvault\n";
}

std::string zsh() {
  std::string out = "#compdef popvault\n_popvault() {\n  if (( CURRENT == 2 )); then compadd -- " +
                    all_words() + "; return; fi\n  case \"$words[2]\" in\n";
  for (const Entry& e : kEntries)
    out += std::string("    ") + e.word + ") compadd -- " + e.follows + " --json --authenticator --authenticator-command --help; _files ;;\n";
  return out + "  esac\n}\ncompdef _popvault popvault\n";
}

std::string fish() {
  std::string out = "complete -c popvault -n __fish_use_subcommand -f -a '" + all_words() + "'\n";
  for (const Entry& e : kEntries)
    out += std::string("complete -c popvault -n '__fish_seen_subcommand_from ") + e.word + "' -a '" +
           e.follows + " --json --authenticator --authenticator-command --help'\n";
  return out;
}

}  // namespace

Result<Output> print_completion(const Context& context) {
  const std::string& shell = context.args.shell;
  std::string script = shell == "zsh" ? zsh() : shell == "fish" ? fish() : bash();
  Json out = Json::Object{{"shell", shell}, {"script", script}};
  return Output{std::move(out), std::move(script)};
}

}  // namespace popvault::cli

#include "guard/rules_table.hpp"

namespace popvault::guard {
namespace {

using namespace std::string_literals;

struct View {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = text.find(at);
    if (end != 0) out.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

std::vector<Parameter> parameters(std::string_view text) {
  std::vector<Parameter> out;
  for (const std::string& word : split(text, ' ')) {
    const std::size_t colon = word.find(':');
    if (word[0] == '-')
      out.push_back({word.substr(1), "-"});
    else
      out.push_back({word.substr(0, colon), colon == std::string::npos ? "" : word.substr(colon + 1)});
  }
  return out;
}

std::vector<Field> fields(std::string_view text) {
  std::vector<Field> out;
  for (const std::string& word : split(text, ' ')) {
    const std::size_t colon = word.find(':');
    out.push_back({split(std::string_view(word).substr(0, colon), '.'), colon == std::string::npos ? "" : word.substr(colon + 1)});
  }
  return out;
}

struct Table {
  std::unordered_map<std::string, CommandRow, View, std::equal_to<>> commands;
  std::unordered_map<std::string, EventRow, View, std::equal_to<>> events;
  std::vector<std::string> command_names, event_names;

  void command(const std::string& name, CommandRow row) {
    commands.emplace(name, std::move(row));
    command_names.push_back(name);
  }
  void refuse(const char* domain, const char* methods, const char* why) {
    for (const std::string& method : split(methods, ' ')) {
      CommandRow row;
      row.why = why;
      command(domain + "."s + method, std::move(row));
    }
  }
  void event(const char* domain, const char* names, bool shown, bool about_target, std::string_view held) {
    for (const std::string& name : split(names, ' ')) {
      EventRow row{shown, about_target, held == "*", {}};
      if (!row.whole_held) row.held = fields(held);
      events.emplace(domain + "."s + name, std::move(row));
      event_names.push_back(domain + "."s + name);
    }
  }

  Table() {
    constexpr bool whole = true, none = false;
#define PASS(method, sessions, pages, params, result, why) \
  command(method, {CommandRow::Kind::pass, OnSessions::sessions, OnPages::pages, parameters(params), result, why});
#define ANSWER(method, result, why) \
  command(method, {CommandRow::Kind::answer, OnSessions::any, OnPages::always, {}, result, why});
#define REFUSE(domain, methods, why) refuse(#domain, methods, why);
#define EVENTS(domain, names, shown, held) event(#domain, names, shown, false, held);
#define TARGETS(domain, names, held) event(#domain, names, true, true, held);
#include "guard/rules_table.def"
#undef PASS
#undef ANSWER
#undef REFUSE
#undef EVENTS
#undef TARGETS
    static_cast<void>(whole), static_cast<void>(none);
  }
};

const Table& table() {
  static const Table the;
  return the;
}

Json shown_as(const std::string& as, const Json& value, const Json& beside) {
  if (as.empty()) return value;
  if (as == "origin") return redacted(value.text_or(""));
  if (as == "site") return redacted(beside["url"].text_or(""));
  return "";
}

void copy_field(const Field& field, std::size_t at, const Json& from, Json& to) {
  const Json* value = from.find(field.path[at]);
  if (!value) return;
  if (at + 1 == field.path.size()) return to.set(field.path[at], shown_as(field.as, *value, from));
  if (!value->object()) return;
  Json inner = to[field.path[at]];
  copy_field(field, at + 1, *value, inner);
  if (inner.object()) to.set(field.path[at], std::move(inner));
}

}  // namespace

const CommandRow* command_row(std::string_view method) {
  const auto found = table().commands.find(method);
  return found == table().commands.end() ? nullptr : &found->second;
}

const EventRow* event_row(std::string_view method) {
  const auto found = table().events.find(method);
  return found == table().events.end() ? nullptr : &found->second;
}

const std::vector<std::string>& command_names() { return table().command_names; }
const std::vector<std::string>& event_names() { return table().event_names; }

Json only_fields(const std::vector<Field>& fields, const Json& from) {
  Json out = Json::Object{};
  for (const Field& field : fields) copy_field(field, 0, from, out);
  return out;
}

}  // namespace popvault::guard

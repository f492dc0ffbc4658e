#include "guard/discovery.hpp"

#include "guard/protocol.hpp"
#include "guard/rules.hpp"

namespace popvault::guard {
namespace {

struct Asked {
  Hub& hub;
  std::uint16_t port;
  std::string suffix;  // "?token=…"

  std::string web_socket(const std::string& path) const {
    return "ws://127.0.0.1:" + std::to_string(port) + path + suffix;
  }
  Json entry(const Target& target) const {
    const Json info = hub.told(target);
    Json out;
    out.set("id", target.id);
    out.set("type", target.type);
    out.set("title", info["title"]);
    out.set("url", info["url"]);
    out.set("description", "");
    out.set("devtoolsFrontendUrl", "");
    out.set("webSocketDebuggerUrl", web_socket("/devtools/page/" + target.id));
    if (!target.parent.empty()) out.set("parentId", target.parent);
    return out;
  }
};

HttpAnswer text(int status, std::string body) { return {status, "text/plain; charset=UTF-8", std::move(body)}; }

HttpAnswer version_of(const Asked& asked) {
  const auto said = Json::parse(asked.hub.version);
  Json out;
  if (said) {
    out.set("Browser", (*said)["product"].text_or(""));
    out.set("Protocol-Version", (*said)["protocolVersion"].text_or("1.3"));
    out.set("User-Agent", (*said)["userAgent"].text_or(""));
    out.set("V8-Version", (*said)["jsVersion"].text_or(""));
    out.set("WebKit-Version", "537.36 (" + (*said)["revision"].text_or("") + ")");
  }
  out.set("webSocketDebuggerUrl", asked.web_socket("/devtools/browser/" + asked.hub.browser_id));
  HttpAnswer answer;
  answer.body = out.pretty();
  return answer;
}

HttpAnswer list_of(const Asked& asked) {
  Json::Array out;
  for (const auto& [id, target] : asked.hub.targets.all())
    if (asked.hub.visible(target) && target.type != "tab") out.push_back(asked.entry(target));
  HttpAnswer answer;
  answer.body = Json(std::move(out)).pretty();
  return answer;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const auto byte = i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (!byte) return {};
    out.push_back(static_cast<char>((*byte)[0]));
    i += 2;
  }
  return out;
}

void open_page(const Asked& asked, std::string_view query, const Answer& answer) {
  // The token stands behind the URL when it is in the query.
  const std::size_t token = query.rfind("token=");
  if (token != std::string_view::npos && !asked.suffix.empty()) query = query.substr(0, token == 0 ? 0 : token - 1);
  const auto url = query.empty() ? std::optional<std::string>("about:blank") : unescape(query);
  if (!url || !url_allowed(*url)) return answer(text(400, "this URL is not allowed\n"));
  Hub& hub = asked.hub;
  hub.link.call("Target.createTarget", Json::Object{{"url", *url}, {"browserContextId", hub.context}}, {},
                [asked, answer](const Json& result, bool ok) {
                  const Target* const target = asked.hub.targets.find(result["targetId"].text_or(""));
                  if (!ok || target == nullptr) return answer(text(500, "the page could not be opened\n"));
                  HttpAnswer out;
                  out.body = asked.entry(*target).pretty();
                  answer(std::move(out));
                });
}

void on_page(const Asked& asked, const char* command, std::string_view id, std::string_view done, const Answer& answer) {
  const Target* const target = asked.hub.targets.find(id);
  if (target == nullptr || target->type != "page" || !asked.hub.visible(*target)) return answer(text(404, "No such target id: " + std::string(id)));
  asked.hub.link.call(command, Json::Object{{"targetId", target->id}}, {},
                      [answer, done = std::string(done)](const Json&, bool ok) { answer(text(ok ? 200 : 500, ok ? done : "it failed")); });
}

}  // namespace

void discover(Hub& hub, std::uint16_t port, const std::string& token, std::string_view method, std::string_view path,
              std::string_view query, const Answer& answer) {
  const Asked asked{hub, port, token.empty() ? std::string() : "?token=" + token};
  const auto below = [path](std::string_view folder) { return path.substr(0, folder.size()) == folder; };
  if (path == "/json/new") {
    if (method != "PUT") return answer(text(405, "Using unsafe HTTP verb " + std::string(method) + " to invoke /json/new. This action supports only PUT verb."));
    return open_page(asked, query, answer);
  }
  if (method != "GET" && method != "HEAD") return answer(text(405, "GET only\n"));
  if (path == "/json/version") return answer(version_of(asked));
  if (path == "/json" || path == "/json/list") return answer(list_of(asked));
  if (path == "/json/protocol") {
    HttpAnswer out;
    out.body = protocol_text();
    return answer(std::move(out));
  }
  if (below("/json/activate/")) return on_page(asked, "Target.activateTarget", path.substr(15), "Target activated", answer);
  if (below("/json/close/")) return on_page(asked, "Target.closeTarget", path.substr(12), "Target is closing", answer);
  answer(text(404, "not found\n"));
}

}  // namespace popvault::guard

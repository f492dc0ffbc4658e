#include "guard/endpoint.hpp"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <set>

#include "guard/request_check.hpp"
#include "log/log.hpp"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

namespace popvault::guard {
namespace {

constexpr std::size_t kMaxMessage = 32 * 1024 * 1024;
constexpr std::size_t kMaxQueued = 64 * 1024 * 1024;
constexpr std::size_t kKeep = 64 * 1024;
constexpr std::size_t kMaxConnections = 256;
constexpr std::size_t kMaxHead = 16 * 1024;
constexpr std::size_t kMaxBody = 64 * 1024;
constexpr auto kRequestTime = std::chrono::seconds(30);

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct Endpoint::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& context, std::string required, Handlers given)
      : io(context), acceptor(context), token(std::move(required)), handlers(std::move(given)) {}
  void accept();

  asio::io_context& io;
  tcp::acceptor acceptor;
  std::string token;
  Handlers handlers;
  std::uint16_t port = 0;
  std::size_t connections = 0;
};

namespace {

class WebSocketLink final : public Socket, public std::enable_shared_from_this<WebSocketLink> {
 public:
  WebSocketLink(tcp::socket socket, std::function<void()> over) : stream_(std::move(socket)), over_(std::move(over)) {
    stream_.read_message_max(kMaxMessage);
    stream_.auto_fragment(false);
    stream_.text(true);
  }
  ~WebSocketLink() override { over_(); }
  WebSocketLink(const WebSocketLink&) = delete;
  WebSocketLink& operator=(const WebSocketLink&) = delete;

  void start(const http::request<http::string_body>& request, std::shared_ptr<SocketUser> user) {
    user_ = std::move(user);
    stream_.set_option(websocket::stream_base::timeout{kRequestTime, websocket::stream_base::none(), false});
    stream_.async_accept(request, [self = shared_from_this()](error_code error) {
      if (error) return self->end();
      self->open_ = true;
      self->read();
      self->write();
    });
  }

  void send(std::string message) override {
    if (ended_) return;
    queued_ += message.size();
    if (queued_ > kMaxQueued && queued_ > message.size()) {
      log_warning("a client does not read: it is closed");
      return close();
    }
    queue_.push_back(std::move(message));
    write();
  }
  void drop_queued(const std::function<bool(std::string_view)>& which) override {
    // The first may be half written.
    for (auto at = queue_.begin() + (writing_ ? 1 : 0); at != queue_.end();) {
      if (!which(*at)) {
        ++at;
        continue;
      }
      queued_ -= at->size();
      at = queue_.erase(at);
    }
  }
  std::size_t queued() const override { return queued_; }
  void pause_reading() override { paused_ = true; }
  void resume_reading() override {
    paused_ = false;
    read();
  }
  void close() override {
    error_code ignored;
    stream_.next_layer().close(ignored);
    asio::post(stream_.get_executor(), [self = shared_from_this()] { self->end(); });
  }

 private:
  void read() {
    if (reading_ || paused_ || !open_ || ended_) return;
    reading_ = true;
    stream_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error || !self->stream_.got_text()) return self->close();
      if (self->ended_) return;
      const auto data = self->buffer_.cdata();
      // resume_reading() may be called from inside: reading_ still says no.
      self->user_->message({static_cast<const char*>(data.data()), data.size()});
      self->buffer_.consume(self->buffer_.size());
      if (self->buffer_.capacity() > kKeep) self->buffer_.shrink_to_fit();
      self->reading_ = false;
      self->read();
    });
  }
  void write() {
    if (writing_ || queue_.empty() || !open_ || ended_) return;
    writing_ = true;
    stream_.async_write(asio::buffer(queue_.front()), [self = shared_from_this()](error_code error, std::size_t) {
      self->writing_ = false;
      if (error) return self->close();
      if (self->ended_) return;
      self->queued_ -= self->queue_.front().size();
      self->queue_.pop_front();
      if (self->queue_.empty()) self->user_->drained();
      self->write();
    });
  }
  void end() {
    if (ended_) return;
    ended_ = true;
    if (user_) user_->closed();
    user_.reset();
    // The first is kept: a write that ends by an error may still look at it.
    queued_ = 0;
  }

  websocket::stream<tcp::socket> stream_;
  std::function<void()> over_;
  std::shared_ptr<SocketUser> user_;
  beast::flat_buffer buffer_;
  std::deque<std::string> queue_;
  std::size_t queued_ = 0;
  bool open_ = false, reading_ = false, writing_ = false, paused_ = false, ended_ = false;
};

// Reads one request after the other, until one asks for a WebSocket.
template <class Impl>
class HttpLink final : public std::enable_shared_from_this<HttpLink<Impl>> {
 public:
  HttpLink(tcp::socket socket, std::shared_ptr<Impl> server) : stream_(std::move(socket)), server_(std::move(server)) {
    ++server_->connections;
  }
  ~HttpLink() {
    if (!upgraded_) --server_->connections;
  }
  HttpLink(const HttpLink&) = delete;
  HttpLink& operator=(const HttpLink&) = delete;

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxHead);
    parser_->body_limit(kMaxBody);
    stream_.expires_after(kRequestTime);
    http::async_read(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (!error) self->handle();
    });
  }

 private:
  void handle() {
    request_ = parser_->release();
    RequestHead head;
    for (const auto& field : request_) {
      if (field.name() == http::field::host) {
        head.host = view(field.value());
        ++head.hosts;
      }
      if (field.name() == http::field::origin || field.name_string() == "Sec-Fetch-Site") head.from_web = true;
    }
    head.target = view(request_.target());
    const CheckedRequest checked = check_request(head, server_->port, server_->token);
    if (checked.status != 200) return answer({checked.status, "text/plain", std::string(checked.why) + "\n"});
    if (websocket::is_upgrade(request_)) return upgrade(checked.path);
    const std::string_view method = view(request_.method_string());
    server_->handlers.http(method, checked.path, checked.query, [self = this->shared_from_this()](HttpAnswer out) {
      asio::post(self->stream_.get_executor(), [self, out = std::move(out)] { self->answer(out); });
    });
  }
  void upgrade(std::string_view path) {
    if (!server_->handlers.knows(path)) return answer({404, "text/plain", "no such target\n"});
    stream_.expires_never();
    upgraded_ = true;
    auto link = std::make_shared<WebSocketLink>(stream_.release_socket(), [server = server_] { --server->connections; });
    auto user = server_->handlers.socket(path, link);
    if (user) return link->start(request_, std::move(user));
  }
  void answer(const HttpAnswer& out) {
    response_ = {};
    response_.result(static_cast<unsigned>(out.status));
    response_.version(11);
    response_.set(http::field::content_type, out.type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.keep_alive(request_.keep_alive() && out.status == 200);
    response_.body() = out.body;
    response_.prepare_payload();
    stream_.expires_after(kRequestTime);
    http::async_write(stream_, response_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error) return;
      if (self->response_.keep_alive()) return self->read();
      error_code ignored;
      self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    });
  }

  beast::tcp_stream stream_;
  std::shared_ptr<Impl> server_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
  bool upgraded_ = false;
};

}  // namespace

void Endpoint::Impl::accept() {
  acceptor.async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error && self->connections < kMaxConnections) {
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<HttpLink<Impl>>(std::move(socket), self)->read();
    }
    self->accept();
  });
}

Result<std::unique_ptr<Endpoint>> Endpoint::listen(Loop& loop, std::uint16_t port, std::string token, Handlers handlers) {
  auto impl = std::make_shared<Impl>(loop.io(), std::move(token), std::move(handlers));
  error_code error;
  const tcp::endpoint address(asio::ip::address_v4::loopback(), port);
  impl->acceptor.open(address.protocol(), error);
  if (!error) impl->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) impl->acceptor.bind(address, error);
  if (!error) impl->acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return fail(Errc::io_error, "the port cannot be listened on");
  impl->port = impl->acceptor.local_endpoint().port();
  impl->accept();
  return std::unique_ptr<Endpoint>(new Endpoint(std::move(impl)));
}

Endpoint::~Endpoint() {
  error_code ignored;
  impl_->acceptor.close(ignored);
}
std::uint16_t Endpoint::port() const noexcept { return impl_->port; }

}  // namespace popvault::guard

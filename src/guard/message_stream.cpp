#include "guard/message_stream.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace popvault::guard {
namespace {

constexpr std::size_t kChunk = 256 * 1024;
// A buffer that a large message made is not kept.
constexpr std::size_t kKeep = 1024 * 1024;

void make_non_blocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

MessageStream::MessageStream(Loop& loop, Descriptor in, Descriptor out, std::size_t max_message, Handlers handlers)
    : in_(std::move(in)), out_(std::move(out)), handlers_(std::move(handlers)), max_message_(max_message) {
  make_non_blocking(in_.get());
  read_watch_ = loop.watch(in_.get(), [this] { read(); });
  if (out_) {
    make_non_blocking(out_.get());
    write_watch_ = loop.watch(out_.get(), {});
  }
}

MessageStream::~MessageStream() { *alive_ = false; }

void MessageStream::read() {
  const auto alive = alive_;
  const std::size_t had = buffer_.size();
  buffer_.resize(had + kChunk);
  const ssize_t n = ::read(in_.get(), buffer_.data() + had, kChunk);
  buffer_.resize(had + static_cast<std::size_t>(n > 0 ? n : 0));
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close();
  std::size_t begin = 0;
  while (true) {
    const auto* const zero = static_cast<const char*>(std::memchr(buffer_.data() + searched_, 0, buffer_.size() - searched_));
    if (zero == nullptr) break;
    const auto end = static_cast<std::size_t>(zero - buffer_.data());
    handlers_.message(std::string_view(buffer_).substr(begin, end - begin));
    if (!*alive || closed_) return;
    begin = searched_ = end + 1;
  }
  buffer_.erase(0, begin);
  searched_ = buffer_.size();
  if (buffer_.empty() && buffer_.capacity() > kKeep) buffer_.shrink_to_fit();
  if (buffer_.size() > max_message_) close();
}

void MessageStream::close() {
  if (closed_) return;
  closed_ = true;
  read_watch_.reset();
  write_watch_.reset();
  const auto closed = handlers_.closed;
  closed();
}

void MessageStream::send(std::string message) {
  if (closed_) return;
  message.push_back('\0');
  queued_ += message.size();
  if (holding_) return held_.push_back(std::move(message));
  queue_.push_back(std::move(message));
  if (!waiting_) write();
}

void MessageStream::write() {
  const auto alive = alive_;
  while (!queue_.empty()) {
    const std::string& first = queue_.front();
    // MSG_NOSIGNAL is not for pipes: SIGPIPE is ignored in main.
    const ssize_t n = ::write(out_descriptor(), first.data() + written_, first.size() - written_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      waiting_ = true;
      (write_watch_ ? write_watch_ : read_watch_)->when_writable([this] {
        waiting_ = false;
        write();
      });
      return;
    }
    if (n < 0) return close();
    written_ += static_cast<std::size_t>(n);
    if (written_ < first.size()) continue;
    queued_ -= first.size();
    written_ = 0;
    queue_.pop_front();
  }
  if (on_written_) {
    const auto written = std::move(on_written_);
    on_written_ = nullptr;
    written();
    if (!*alive) return;
  }
  if (queued_ == 0 && handlers_.drained) handlers_.drained();
}

void MessageStream::hold(std::function<void()> written) {
  holding_ = true;
  on_written_ = std::move(written);
  if (!waiting_) write();
}

void MessageStream::release(bool cut) {
  holding_ = false;
  on_written_ = nullptr;
  if (cut) {
    queue_.push_back(std::string(1, '\0'));
    ++queued_;
  }
  for (std::string& message : held_) queue_.push_back(std::move(message));
  held_.clear();
  if (!waiting_) write();
}

void MessageStream::pause_reading() {
  if (read_watch_) read_watch_->pause();
}
void MessageStream::resume_reading() {
  if (read_watch_) read_watch_->resume();
}

}  // namespace popvault::guard

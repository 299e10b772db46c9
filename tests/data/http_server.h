// The smallest HTTP server that a downloader can be tested against: it serves a folder on the loopback
// interface.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "doctest/doctest.h"

namespace tenon::test {

/// Answers GET with the files of a folder, or 404, one connection at a time, until it is destroyed.
class HttpServer {
 public:
  explicit HttpServer(std::filesystem::path folder) : folder_(std::move(folder)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() {
    stopping_ = true;
    thread_.join();
    ::close(socket_);
  }

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }
  /// Bytes of each file that are sent before the connection is cut; negative: all.
  void cut_after(int64_t bytes) { cut_after_ = bytes; }

 private:
  void run() {
    while (!stopping_) {
      pollfd waiting{socket_, POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string request;
    char buffer[2048];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      request.append(buffer, static_cast<size_t>(got));
    }
    ++requests_;
    const std::string name = request.substr(5, request.find(' ', 5) - 5);  // "GET /<name> HTTP/1.1"
    std::ifstream file(folder_ / name, std::ios::binary);
    if (!file) return send_all(connection, "HTTP/1.0 404 Not Found\r\n\r\n");
    std::ostringstream content;
    content << file.rdbuf();
    const std::string body = content.str();
    send_all(connection, "HTTP/1.0 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    send_all(connection, cut_after_ < 0 ? body : body.substr(0, static_cast<size_t>(cut_after_)));
  }

  static void send_all(int connection, const std::string& text) {
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t count = ::send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<size_t>(count);
    }
  }

  std::filesystem::path folder_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> requests_{0};
  std::atomic<int64_t> cut_after_{-1};
  std::thread thread_;
};

}  // namespace tenon::test

#include "papers/experiment/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/atomic_file.h"
#include "core/error.h"

namespace tenon::experiment {

namespace {

constexpr const char* kConfigName = "config.json";
constexpr const char* kLogName = "log.jsonl";
constexpr const char* kResultName = "result.json";
constexpr const char* kResultsName = "results.json";

void create_folders(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  TENON_CHECK(!error, folder.string(), ": cannot create the folder: ", error.message());
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  TENON_CHECK(file.good(), path.string(), ": cannot be opened");
  std::ostringstream text;
  text << file.rdbuf();
  TENON_CHECK(!file.bad(), path.string(), ": cannot be read");
  return text.str();
}

int open_log(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  TENON_CHECK(descriptor >= 0, path.string(), ": cannot be opened: ", std::strerror(errno));
  return descriptor;
}

void collect_differences(const Json& there, const Json& here, const std::string& key, std::string& out) {
  if (there.is_object() && here.is_object()) {
    const std::string prefix = key.empty() ? "" : key + ".";
    for (const auto& [name, value] : there.members()) {
      const Json* other = here.find(name);
      if (other == nullptr) {
        out += concat(prefix, name, ": ", value.dump(), " there, absent here\n");
      } else {
        collect_differences(value, *other, prefix + name, out);
      }
    }
    for (const auto& [name, value] : here.members()) {
      if (there.find(name) == nullptr)
        out += concat(prefix, name, ": absent there, ", value.dump(), " here\n");
    }
  } else if (there != here) {
    out += concat(key, ": ", there.dump(), " there, ", here.dump(), " here\n");
  }
}

bool is_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  return !name.empty() && name != "." && name != ".." && std::ranges::all_of(name, fits);
}

bool belongs(const Json& line, std::string_view arm, std::int64_t seed) {
  const Json* name = line.find("arm");
  const Json* number = line.find("seed");
  return name != nullptr && number != nullptr && *name == Json(arm) && *number == Json(seed);
}

}  // namespace

std::string config_differences(const Json& there, const Json& here) {
  std::string out;
  collect_differences(there, here, "", out);
  return out;
}

RunFolder::RunFolder(std::filesystem::path folder, const Json& config, bool resume)
    : path_(std::move(folder)) {
  create_folders(path_);
  lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  TENON_CHECK(lock_ >= 0, path_.string(), ": cannot be opened: ", std::strerror(errno));
  try {
    TENON_CHECK(::flock(lock_, LOCK_EX | LOCK_NB) == 0, path_.string(),
                ": another process is working in this run folder");
    remove_abandoned_temporaries(path_);
    const std::filesystem::path config_path = path_ / kConfigName;
    resumed_ = std::filesystem::exists(config_path);
    if (resumed_) {
      TENON_CHECK(resume, path_.string(),
                  ": already holds a run; --resume goes on with it, --out names another folder");
      const std::string differences = config_differences(Json::read_file(config_path), config);
      TENON_CHECK(differences.empty(), path_.string(), ": holds a run with another configuration:\n",
                  differences, "--out names another folder");
      for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
        if (entry.is_directory()) remove_abandoned_temporaries(entry.path());
      }
    } else {
      TENON_CHECK(std::filesystem::is_empty(path_), path_.string(),
                  ": is not empty and holds no run (no config.json); --out names another folder");
      write_file_atomically(config_path, config.dump(2) + "\n");
    }
    log_ = open_log(path_ / kLogName);
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

RunFolder::~RunFolder() {
  ::close(log_);
  ::close(lock_);
}

ArmRun RunFolder::arm(std::string_view name, std::int64_t seed) {
  TENON_CHECK(is_name(name), "run folder: an arm is named by letters, digits, '.', '-' and '_', got \"", name,
              "\"");
  return ArmRun(*this, std::string(name), seed);
}

std::vector<Json> RunFolder::read_log() const {
  const std::filesystem::path path = path_ / kLogName;
  const std::string text = read_text(path);
  std::vector<Json> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(Json::parse(std::string_view(text).substr(begin, end - begin),
                                concat(path.string(), " line ", lines.size() + 1)));
    begin = end + 1;
  }
  return lines;
}

void RunFolder::write_results(const Json& results) {
  write_file_atomically(path_ / kResultsName, results.dump(2) + "\n");
}

void RunFolder::append_log_line(const Json& line) {
  const std::string text = line.dump() + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(log_, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    TENON_CHECK(written >= 0, (path_ / kLogName).string(), ": cannot append: ", std::strerror(errno));
    done += static_cast<std::size_t>(written);
  }
  TENON_CHECK(::fdatasync(log_) == 0, (path_ / kLogName).string(), ": cannot sync: ", std::strerror(errno));
}

void RunFolder::rewind_log(std::string_view arm, std::int64_t seed, std::int64_t epoch) {
  const std::filesystem::path path = path_ / kLogName;
  const std::string text = read_text(path);
  std::string kept;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t newline = text.find('\n', begin);
    if (newline == std::string::npos) break;  // cut short by a crash
    const std::string_view line = std::string_view(text).substr(begin, newline - begin);
    const Json parsed = Json::parse(line, concat(path.string(), " line ", ++number));
    if (!belongs(parsed, arm, seed) || parsed.at("epoch").as_integer() <= epoch) kept += concat(line, "\n");
    begin = newline + 1;
  }
  if (kept == text) return;
  write_file_atomically(path, kept);
  const int reopened = open_log(path);  // the descriptor still points to the file that was replaced
  ::close(log_);
  log_ = reopened;
}

ArmRun::ArmRun(RunFolder& run, std::string name, std::int64_t seed)
    : run_(&run),
      name_(std::move(name)),
      seed_(seed),
      folder_(run.path() / "arms" / name_ / concat("seed-", seed)) {
  create_folders(folder_);
}

bool ArmRun::finished() const { return std::filesystem::exists(folder_ / kResultName); }

Json ArmRun::result() const { return Json::read_file(folder_ / kResultName); }

void ArmRun::rewind_log(std::int64_t epoch) { run_->rewind_log(name_, seed_, epoch); }

void ArmRun::log(const Json& line) {
  const Json* epoch = line.find("epoch");
  TENON_CHECK(epoch != nullptr && epoch->is_integer(),
              "run folder: a log line needs an integer \"epoch\", got ", line.dump());
  Json complete = Json::object({{"arm", name_}, {"seed", seed_}});
  for (const auto& [key, value] : line.members()) {
    TENON_CHECK(complete.find(key) == nullptr, "run folder: a log line has its own \"", key, "\"");
    complete[key] = value;
  }
  run_->append_log_line(complete);
}

void ArmRun::finish(const Json& result) {
  write_file_atomically(folder_ / kResultName, result.dump(2) + "\n");
}

Json ArmRun::once(const std::function<Json()>& work) {
  if (finished()) return result();
  Json made = work();
  finish(made);
  return made;
}

}  // namespace tenon::experiment

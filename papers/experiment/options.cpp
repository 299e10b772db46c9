// The one file that includes CLI11.
#include "papers/experiment/options.h"

#include <algorithm>
#include <CLI/CLI.hpp>
#include <limits>
#include <utility>

#include "core/error.h"

namespace tenon::experiment {

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

const char* scale_name(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return "smoke";
    case Scale::kScaled:
      return "scaled";
    case Scale::kPaper:
      return "paper";
  }
  fail("options: unknown scale");
}

std::vector<std::int64_t> Options::seed_list() const {
  std::vector<std::int64_t> list;
  for (std::int64_t i = 0; i < seeds; ++i) list.push_back(seed + i);
  return list;
}

bool Options::has_arm(std::string_view arm) const { return contains(arms, arm); }

Json identity_json(const Options& options) {
  return Json::object({{"data", options.data},
                       {"device", options.device},
                       {"seed", options.seed},
                       {"scale", scale_name(options.scale)}});
}

struct OptionParser::Implementation {
  ExperimentSpec spec;
  CLI::App app;
  Options options;
  std::string scale = scale_name(Scale::kScaled);
  std::string arms, out;

  explicit Implementation(ExperimentSpec given) : spec(std::move(given)), app(spec.description, spec.name) {
    TENON_CHECK(!spec.datasets.empty(), "options of ", spec.name, ": no data set given");
    for (const std::string& arm : spec.default_arms) {
      TENON_CHECK(contains(spec.arms, arm), "options of ", spec.name, ": default arm \"", arm,
                  "\" is no arm");
    }
    if (spec.default_arms.empty()) spec.default_arms = spec.arms;
    options.data = spec.datasets.front();
    arms = spec.default_arms == spec.arms ? "all" : spec.default_arms.front();
    for (std::size_t i = 1; arms != "all" && i < spec.default_arms.size(); ++i)
      arms += "," + spec.default_arms[i];
    add_shared_options();
  }

  template <class T>
  CLI::Option* add(std::string_view name, std::string_view help, T& target) {
    try {
      return app.add_option(concat("--", name), target, std::string(help))
          ->capture_default_str()
          ->group("Experiment");
    } catch (const CLI::OptionAlreadyAdded&) {
      fail("options of ", spec.name, ": --", name, " is added twice");
    }
  }

  // Without the validators' own words in the help, which shows the choices in its text.
  static CLI::Validator quiet(CLI::Validator validator) { return validator.description(""); }
  static CLI::Validator one_of(const std::vector<std::string>& names) { return quiet(CLI::IsMember(names)); }
  static CLI::Validator between(std::int64_t low, std::int64_t high) { return quiet(CLI::Range(low, high)); }

  void add_shared_options() {
    constexpr std::int64_t kLargestSeed = std::int64_t{1} << 53;  // exact in every JSON reader
    const auto shared = [](CLI::Option* option) { return option->group("Options of every experiment"); };
    app.set_help_flag("--help,-h", "print this text and exit");
    shared(app.get_help_ptr());
    shared(add("data", "data set: " + joined(spec.datasets), options.data))
        ->type_name("NAME")
        ->check(one_of(spec.datasets));
    shared(add("device", "where to compute: cpu, cuda", options.device))
        ->type_name("NAME")
        ->check(one_of({"cpu", "cuda"}));
    shared(add("seed", "first random seed", options.seed))->type_name("N")->check(between(0, kLargestSeed));
    shared(add("seeds", "how many seeds: N, N + 1, ...", options.seeds))
        ->type_name("N")
        ->check(between(1, 1000));
    shared(
        add("threads", "threads, 0 for every core; the result is the same for any number", options.threads))
        ->type_name("N")
        ->check(between(0, 4096));
    shared(
        add("scale", "smoke (a check, under a minute), scaled (under an hour), paper (as published)", scale))
        ->type_name("NAME")
        ->check(one_of({"smoke", "scaled", "paper"}));
    if (!spec.arms.empty()) {
      shared(add("arms", "\"all\", or some of: " + joined(spec.arms), arms))->type_name("A,B,...");
    }
    shared(
        add("out", "run folder (default: runs/" + spec.name + "/<data>-<scale>[-<device>]-seed<seed>)", out))
        ->type_name("FOLDER");
    shared(app.add_flag(
        "--resume", options.resume,
        "go on with the run in the run folder: after an interruption, or with more seeds or arms"));
    shared(app.add_flag("--memory", options.memory,
                        "print what holds the memory at the peak of a training step of each stage"));
  }

  // The options as CLI11 left them, completed. Throws Error naming the option.
  Options finished() const {
    Options result = options;
    for (Scale s : {Scale::kSmoke, Scale::kScaled, Scale::kPaper}) {
      if (scale == scale_name(s)) result.scale = s;
    }
    const std::vector<std::string> wanted = arms == "all" ? spec.arms : split_at_commas(arms);
    for (const std::string& arm : wanted) {
      TENON_CHECK(contains(spec.arms, arm), "--arms: no arm \"", arm, "\"; expected all or some of ",
                  joined(spec.arms));
    }
    TENON_CHECK(!wanted.empty() || spec.arms.empty(), "--arms: expected all or some of ", joined(spec.arms));
    for (const std::string& arm : spec.arms) {
      if (contains(wanted, arm)) result.arms.push_back(arm);
    }
    const std::string device = result.device == "cpu" ? "" : "-" + result.device;
    result.out = !out.empty()
                     ? out
                     : concat("runs/", spec.name, "/", result.data, "-", scale, device, "-seed", result.seed);
    return result;
  }
};

OptionParser::OptionParser(ExperimentSpec spec)
    : implementation_(std::make_unique<Implementation>(std::move(spec))) {}
OptionParser::~OptionParser() = default;

void OptionParser::add(std::string_view name, std::string_view help, std::int64_t& target) {
  implementation_->add(name, help, target)
      ->type_name("N")
      ->check(Implementation::between(0, std::numeric_limits<std::int64_t>::max()));
}
void OptionParser::add(std::string_view name, std::string_view help, double& target) {
  implementation_->add(name, help, target)
      ->type_name("X")
      ->check(Implementation::quiet(CLI::NonNegativeNumber));
}
void OptionParser::add(std::string_view name, std::string_view help, std::string& target) {
  implementation_->add(name, help, target)->type_name("TEXT");
}
void OptionParser::add(std::string_view name, std::string_view help, std::filesystem::path& target) {
  implementation_->add(name, help, target)->type_name("PATH");
}
void OptionParser::add(std::string_view name, std::string_view help, std::vector<double>& target) {
  implementation_->add(name, help, target)->delimiter(',')->allow_extra_args(false)->type_name("X,Y");
}
void OptionParser::add_flag(std::string_view name, std::string_view help, bool& target) {
  try {
    implementation_->app.add_flag(concat("--", name), target, std::string(help))->group("Experiment");
  } catch (const CLI::OptionAlreadyAdded&) {
    fail("options of ", implementation_->spec.name, ": --", name, " is added twice");
  }
}
void OptionParser::add_choice(std::string_view name, std::string_view help, std::string& target,
                              const std::vector<std::string>& choices) {
  implementation_->add(name, concat(help, ": ", joined(choices)), target)
      ->type_name("NAME")
      ->check(Implementation::one_of(choices));
}

const std::string& OptionParser::name() const { return implementation_->spec.name; }

ParseOutcome OptionParser::parse(int argc, const char* const* argv) {
  Implementation& self = *implementation_;
  constexpr int kUsageError = 2;
  try {
    self.app.parse(argc, argv);
    return {self.finished(), "", 0};
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, self.app.help(), 0};
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, concat(self.spec.name, ": ", error.what(), " (--help lists the options)\n"),
            kUsageError};
  } catch (const Error& error) {
    return {std::nullopt, concat(self.spec.name, ": ", error.what(), " (--help lists the options)\n"),
            kUsageError};
  }
}

}  // namespace tenon::experiment

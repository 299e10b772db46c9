#include "papers/experiment/program.h"

#include <iostream>

#include "core/parallel.h"
#include "papers/experiment/interrupt.h"
#include "papers/experiment/training.h"

namespace tenon::experiment {

int run_program(OptionParser& parser, int argc, const char* const* argv,
                const std::function<int(const Options&)>& run) {
  try {
    const ParseOutcome outcome = parser.parse(argc, argv);
    if (!outcome.options) {
      (outcome.exit_status == 0 ? std::cout : std::cerr) << outcome.message;
      return outcome.exit_status;
    }
    if (outcome.options->threads > 0) set_num_threads(static_cast<int>(outcome.options->threads));
    const InterruptGuard guard;
    return run(*outcome.options);
  } catch (const Interrupted& stop) {
    std::cout << stop.what() << "; --resume goes on from there\n";
    return 130;
  } catch (const Error& error) {
    std::cerr << parser.name() << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace tenon::experiment

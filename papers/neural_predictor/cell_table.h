// A small NAS-Bench of our own: every cell of up to four vertices, really trained.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "papers/experiment/claims.h"
#include "papers/experiment/images.h"
#include "papers/experiment/options.h"
#include "papers/experiment/report.h"
#include "papers/experiment/run_folder.h"
#include "papers/neural_predictor/cell_space.h"

namespace tenon::neural_predictor {

/// How a cell is trained. The optimiser is the benchmark's: RMSProp, decay 0.9, momentum 0.9, epsilon 1.0, the rate on a
/// cosine to 0 (by epoch), L2 of 1e-4. Not the benchmark's: small networks, small images, few of them, no augmentation,
/// batch norm's running statistics at momentum 0.1, since 400 steps are too few for 0.003.
struct CellTraining {
  int64_t train = 4000, validation = 1000, test = 5000;  ///< images
  int64_t epochs = 10, batch = 100;
  double rate = 0.2;
  Backbone backbone = {.stem = 8, .stacks = 3, .cells = 1, .classes = 10, .colours = 1};
};
CellTraining cell_training(experiment::Scale scale);

constexpr int kTableVertices = 4;  // 91 cells
/// "cell-00" to "cell-90", in the order of the cells' hashes.
std::string cell_arm(int64_t number);
/// What the command line knows.
experiment::ExperimentSpec cell_table_spec();

/// Images of 28 x 28 averaged to 14 x 14 and normalised; the stem pads them to 16 x 16.
experiment::ImageProblem load_cell_images(const std::string& data, const CellTraining& training);

/// Trains cell `number` under this seed, or goes on with it; leaves `validation` and `test`, in percent, in its result.
/// Throws experiment::Interrupted.
void train_cell(const CellSpace& cells, int64_t number, const experiment::ImageProblem& problem,
                const CellTraining& training, experiment::RunFolder& folder, int64_t seed, std::ostream& out);

/// What was measured of one cell.
struct CellFacts {
  int64_t number = 0;
  double published = 0;                  ///< NAS-Bench-101's mean test accuracy, %
  std::vector<double> validation, test;  ///< of each seed, %
};
/// Of the arms that were run; `published` of NAS-Bench-101.
std::vector<CellFacts> gather_cells(const CellSpace& cells, experiment::RunFolder& folder,
                                    const experiment::Options& options);

/// A predictor trained on our accuracies of 60 cells, asked about the others.
struct TablePrediction {
  std::vector<double> truth, predicted;  ///< of the cells that it was not trained on, %
};
TablePrediction predict_table(const CellSpace& cells, const std::vector<CellFacts>& facts, int64_t seed);

std::vector<experiment::Claim> cell_table_claims(const std::vector<CellFacts>& facts,
                                                 const experiment::Options& options);
experiment::Table cell_table(const CellSpace& cells, const std::vector<CellFacts>& facts);

}  // namespace tenon::neural_predictor

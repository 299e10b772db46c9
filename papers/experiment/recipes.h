// The recipes of a paper: its arms in the order in which they run, each after those that it starts from. Every paper has a
// Recipe of its own, with `arm`, its name on the command line and of its folder.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace tenon::experiment {

/// Throws Error if there is none of that name.
template <class Recipe>
const Recipe& recipe_called(const std::vector<Recipe>& recipes, std::string_view arm) {
  for (const Recipe& recipe : recipes)
    if (recipe.arm == arm) return recipe;
  fail("no arm is called '", arm, "'");
}

template <class Recipe>
std::vector<std::string> arms_of(const std::vector<Recipe>& recipes) {
  std::vector<std::string> arms;
  for (const Recipe& recipe : recipes) arms.push_back(recipe.arm);
  return arms;
}

/// `arms` and those that they cannot run without, in the order of the recipes. `needs(recipe)` names what a recipe starts
/// from, among the recipes before it; names that are empty are none. Throws Error as recipe_called.
template <class Recipe, class Needs>
std::vector<std::string> with_needed(const std::vector<Recipe>& recipes, const std::vector<std::string>& arms,
                                     const Needs& needs) {
  std::set<std::string> wanted;
  for (const std::string& arm : arms) wanted.insert(recipe_called(recipes, arm).arm);
  for (auto recipe = recipes.rbegin(); recipe != recipes.rend(); ++recipe)
    if (wanted.contains(recipe->arm))
      for (const std::string& needed : needs(*recipe)) wanted.insert(needed);
  std::vector<std::string> ordered = arms_of(recipes);
  std::erase_if(ordered, [&](const std::string& arm) { return !wanted.contains(arm); });
  return ordered;
}

}  // namespace tenon::experiment

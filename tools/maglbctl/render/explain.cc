#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {

// A line a step, as the packet travels.
Rendered render_explanation(const Json& explanation, bool colour) {
  const auto steps = objects(explanation, "steps");
  if (!steps) {
    return tl::unexpected(steps.error());
  }
  const std::string verdict = text(member(explanation, "result"), "verdict");
  Facts facts;
  for (const Json* step : *steps) {
    const std::string stage = text(*step, "stage");
    const Tone tone = stage != "result" ? Tone::kPlain : verdict == "dropped" ? Tone::kBad : Tone::kGood;
    facts.add(stage, Cell(text(*step, "text"), tone));
  }
  return facts.to_string(colour);
}

}  // namespace maglb::ctl

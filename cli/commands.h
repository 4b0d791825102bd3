#pragma once

#include "cli/command.h"

namespace terse::cli {

// A setup a command, each in the file of its name; commands.cpp has the table.
Action setup_check(Arguments& arguments);
Action setup_compare(Arguments& arguments);
Action setup_compress(Arguments& arguments);
Action setup_convert(Arguments& arguments);
Action setup_eval(Arguments& arguments);
Action setup_inspect(Arguments& arguments);
Action setup_measure(Arguments& arguments);
Action setup_passes(Arguments& arguments);
Action setup_recipes(Arguments& arguments);
Action setup_run(Arguments& arguments);
Action setup_tokenize(Arguments& arguments);

}  // namespace terse::cli

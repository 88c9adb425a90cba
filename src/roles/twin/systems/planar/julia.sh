#!/bin/sh
# Julia as the bot has it: asked for its version, for nothing else.
echo "julia version 1.11.7"

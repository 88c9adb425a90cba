#!/bin/sh
# Git of a checkout whose submodules and files are as its newest commit records them.
case "$*" in
*" submodule status") echo " 5d1f0a9c4be24c0f8f2f7e3a6b1c9d8e7f605142 Planar/vendor/Ccxt (v0.2.4)" ;;
*" diff "*) ;;
*" log -1 "*) echo "8c41d07 2026-11-14 Fetch: candles that are not closed yet are left out" ;;
*) exit 129 ;;
esac

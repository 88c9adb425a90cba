//! Keys to commands: keymap trie and reverse lookup. Pure.

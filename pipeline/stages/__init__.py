"""One module per DVC stage, with the stage's name. Its `main(root)` reads what other stages wrote below `outputs/`,
calls functions of the rooms below, and writes below `root`, a fresh folder that replaces the stage's earlier outputs.
"""

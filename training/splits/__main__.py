"""`python -m training.splits FOLDER_OF_JUDGED_STRINGS`: write judged.csv."""

import sys
from pathlib import Path

from training.judged import read_judged
from training.splits import FILE, split

split(read_judged(Path(sys.argv[1]))).to_csv(FILE, index=False)

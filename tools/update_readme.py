"""Write the results table of README.md from the committed records: ``python
tools/update_readme.py``.
"""

from diffranet_utils.studies.diffranet.scorecard import update_readme

if __name__ == "__main__":
    update_readme()

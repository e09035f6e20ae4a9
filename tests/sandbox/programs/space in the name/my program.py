from pathlib import Path

if __name__ == "__main__":
    Path("a file with spaces.txt").write_text("kept")
    print(Path("a file with spaces.txt").read_text())

class Game:
    def __init__(self):
        self.score = 0

    def win(self):
        self.score += 1

def count_letters(word, letter):
    n = 0
    for c in word:
        n += int(c == letter)
    return n


def report(word, letter):
    count = count_letters(word, letter)
    if count == 1:
        return f"one {letter}"
    return f"{count} times {letter}"

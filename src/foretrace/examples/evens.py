def split_evens(numbers):
    evens, odds = [], []
    for number in numbers:
        if number % 2 == 0:
            evens.append(number)
        else:
            odds.append(number)
    return evens + odds

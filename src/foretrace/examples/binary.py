def to_binary(number):
    digits = ""
    while number > 0:
        digits = str(number % 2) + digits
        number //= 2
    return digits

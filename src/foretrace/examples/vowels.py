def mask_vowels(word, mark):
    hidden = ""
    for letter in word:
        if letter in "aeiou":
            hidden += mark
        else:
            hidden += letter
    return hidden

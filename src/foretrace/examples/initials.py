def initials(full_name):
    letters = []
    for part in full_name.split():
        letters.append(part[0].upper())
    return ".".join(letters)

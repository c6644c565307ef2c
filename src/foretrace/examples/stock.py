def restock(shelf, product, amount):
    if product not in shelf:
        return "unknown"
    before = shelf[product]
    shelf[product] = before + amount
    return shelf

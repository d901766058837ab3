"""Functions that begin at the same moment."""
import threading


def all_at_once(jobs):
    """Runs the functions in threads that start together; returns their results in order, or raises the first error."""
    barrier, results, errors = threading.Barrier(len(jobs)), [None] * len(jobs), []

    def run(n):
        barrier.wait()
        try:
            results[n] = jobs[n]()
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
